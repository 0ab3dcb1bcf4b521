# SPDX-License-Identifier: LGPL-3.0-or-later
# Counts test points: TAP as it is, and the log of `meson test' (testlog.txt),
# where a program that prints no TAP is one point, and so is one that ended
# badly without saying which of its points failed.  Prints each failing point
# with what follows it, then "PASSED FAILED SKIPPED".  What was skipped for a
# reason that the file MAY does not have (a regular expression a line) has failed;
# the others are added to the file SKIPPED.

function may_skip(reason,  i) {
  for (i = 1; i <= reasons; i++)
    if (reason ~ may_be[i])
      return 1
  return 0
}

function skip(line,  reason) {
  reason = line
  sub(/.*# SKIP */, "", reason)
  line = (name == "" ? "" : name ": ") line
  if (may_skip(reason)) {
    skipped++
    print line >SKIPPED
  } else {
    failed++
    failed_here = 1
    print line
    print "# It has to run, or its reason has to stand in " MAY
  }
}

BEGIN {
  while (MAY != "" && (getline reason <MAY) > 0)
    if (reason !~ /^(#|$)/)
      may_be[++reasons] = reason
  if (SKIPPED == "")
    SKIPPED = "/dev/null"
}

function close_test() {
  if (name == "") return
  if (bad || planned != "" && planned != points) {
    if (!failed_here) {
      failed++
      print "not ok " name ": " result \
        (points ? " after " points " of " (planned + 0) " points" : "")
      printf "%s", output
    }
  } else if (!points && planned == "")
    passed++
  name = ""
}

/^test: / {
  close_test()
  name = $0
  sub(/^test: */, "", name)
  output = ""
  points = failed_here = bad = 0
  planned = ""
  next
}
/^result: / {
  result = $0
  sub(/^result: */, "", result)
  bad = result !~ /exit status 0( |$)/
}
/^1\.\.[0-9]+/ {
  planned = substr($1, 4) + 0
  if (!planned && /# SKIP/) skip($0)
}
/^(not )?ok .*# SKIP/ { points++; telling = 0; skip($0); next }
/^ok / { points++; passed++; telling = 0 }
/^not ok / {
  points++
  telling = 0
  if ($0 ~ /# TODO/) next
  failed++
  failed_here = 1
  telling = 1
  print (name == "" ? "" : name ": ") $0
  next
}
/^(====|----)/ { telling = 0 }
telling { print }
name != "" && length(output) < 4000 { output = output $0 "\n" }
END {
  close_test()
  print passed + 0, failed + 0, skipped + 0
}
