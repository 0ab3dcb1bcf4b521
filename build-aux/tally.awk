# SPDX-License-Identifier: LGPL-3.0-or-later
# Counts test points: TAP as it is, and the log of `meson test' (testlog.txt),
# where a program that prints no TAP is one point, and so is one that ended
# badly without saying which of its points failed.  Prints each failing point
# with what follows it, then "PASSED FAILED".

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
/^1\.\.[0-9]+/ { planned = substr($1, 4) + 0 }
/^ok / { points++; passed++; telling = 0 }
/^not ok / {
  points++
  telling = 0
  if ($0 ~ /# (TODO|SKIP)/) next
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
  print passed + 0, failed + 0
}
