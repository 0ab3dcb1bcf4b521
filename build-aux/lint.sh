#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# The rules of HACKING that a machine can check, as TAP: lint.sh BUILD.
set -u
build=$1
cd "$(dirname "$0")/.." || exit 1
number=0
core=$build/src/libsockport.so
binding=$build/guile/libguile-sockport.so
# There without GnuTLS are neither of these.
tls=$build/tls/libsockport-tls.so
tls_binding=$build/guile/tls/libguile-sockport-tls.so

# What RULE's check prints are the offenders.
rule ()
{
  name=$1
  shift
  number=$((number + 1))
  offenders=$("$@" 2>&1)
  if test -z "$offenders"; then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    echo "$offenders" | sed 's/^/# /'
  fi
}

# As rule, where TOOL is of the version that the rule was made for: others judge
# differently.
rule_of ()
{
  tool=$1 version=$2
  shift 2
  actual=$("$tool" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9.]+' | head -n 1)
  case $actual in
    "$version".*) rule "$@" ;;
    *)
      number=$((number + 1))
      echo "ok $number - $1 # SKIP made for $tool $version, this is ${actual:-none}" ;;
  esac
}

files () { sh build-aux/sources.sh "$@"; }

known () { files dev | grep -q dev || echo 'neither a git checkout nor a MANIFEST'; }

layout ()
{
  files '*.c' '*.h' | while read -r file; do
    clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || echo "$file"
  done
}

shell ()
{
  files dev '*.sh' | while read -r file; do
    sh -n "$file" || echo "$file"
    shellcheck -x -f gcc -S warning "$file"
  done
}

spdx ()
{
  files '*.c' '*.h' '*.def' '*.scm' '*.in' '*.sh' '*.bash' '*.awk' '*.py' '*.go' '*.js' \
      '*.lua' '*.rkt' '*.texi' '*meson.build' meson_options.txt dev .ci/run |
    while read -r file; do
      head -n 2 "$file" | grep -q 'SPDX-License-Identifier: LGPL-3.0-or-later' \
        || echo "$file"
    done
}

# Lines of each C function, from its brace to the one that ends it.
long_c_functions ()
{
  files 'src/*.c' 'tls/*.c' 'guile/*.c' 'tests/*.c' 'examples/*.c' 'bench/*.c' |
    xargs awk '
      /^{/ { start = FNR; head = last }
      /^}/ && start {
        if (FNR - start - 1 > 60 && head ~ /\)$/)
          print FILENAME ":" start ": " FNR - start - 1 " lines"
        start = 0
      }
      { last = $0 }'
}

# Lines of each Scheme procedure: to the next thing in the first column.
long_scheme_procedures ()
{
  files '*.scm' | xargs awk '
      FNR == 1 { start = 0 }
      /^[^ \t]/ { start = /^\(define(\*|-keyed)? \(/ ? FNR : 0 }
      start && NF && FNR - start + 1 == 61 {
        print FILENAME ":" start ": more than 60 lines"
      }'
}

long_files ()
{
  limit=$1
  shift
  files "$@" | xargs wc -l | awk -v limit="$limit" \
    '$2 != "total" && $1 > limit { print $2 ": " $1 " lines" }'
}

core_is_pure ()
{
  files 'src/*' 'include/*' | grep -v '/guile' |
    xargs grep -nE 'libguile|\bSCM\b|\b(printf|exit|abort) *\('
  files 'tls/*' | xargs grep -nE 'libguile|\bSCM\b|\b(printf|exit|abort) *\('
  nm -D "$core" | grep -E 'scm_|libguile'
  test ! -e "$tls" || nm -D "$tls" | grep -E 'scm_|libguile'
  # No mutable state: a static library holds no data of its own.
  size -A "$build"/*/libsockport-*private.a |
    awk '/^[^ ]+\.o/ { object = $1 }
         ($1 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $1 !~ /\.rel\.ro/ && $2 > 0) {
           print object, $1, $2
         }'
}

binding_calls_the_core ()
{
  nm -D --undefined-only "$binding" | grep -E ' (socket|socketpair|bind|listen|accept4?|connect|send(to|msg|mmsg)?|recv(from|msg|mmsg)?|[gs]etsockopt|shutdown|getsockname|getpeername|syscall)(@|$)'
  files 'guile/*' |
    xargs grep -nE 'switch .*family|case (AF|PF)_[A-Z]|== *[AP]F_[A-Z]' |
    grep -v '== AF_UNSPEC'
}

exported ()
{
  test -e "$1" || return
  nm -D --defined-only "$1" |
    awk -v prefix="$2" '$2 != "A" && $3 !~ "^" prefix { print $3 }'
}

gnutls_alone ()
{
  for library in "$core" "$binding"; do
    readelf -d "$library" | grep gnutls
  done
  files 'module/*.scm' | grep -vE 'sockport/tls(/|\.scm)' |
    xargs grep -nE '#:use-module \(sockport tls[ )-]'
}

modules_are_built ()
{
  files 'module/*.scm' | sed 's,^module/,,' | while read -r module; do
    grep -q "'$module'" module/meson.build || echo "module/meson.build: $module"
  done
}

one_place_waits ()
{
  files 'module/*' |
    grep -vE '/(core|io/wait|task/(loop|deadline|operation|waiter)).scm$' |
    xargs grep -nE '\(%(wait|block|task-wait) |\(select |usleep'
}

# What a folder's modules may use: io nothing that knows tasks, task nothing that
# serves; only the adapters in ports look into Guile's own modules.  The command is
# as any program of a user's.
layers ()
{
  uses () { files "$1" | xargs grep -nE "\(sockport ($2)[ )]" /dev/null; }
  uses 'module/sockport/io/*' 'task|serve|server|listener|http|channel|client'
  uses 'module/sockport/task/*' 'serve|server|listener|http|channel|client'
  uses 'module/sockport/ports/*' 'io|task|serve|server|listener|http|channel|client'
  uses 'module/sockport/command/*' 'io|serve|primitive|client'
  files 'module/*.scm' | grep -v '/ports/' |
    xargs grep -nE '\(@@ |module-set!|variable-set!'
}

# What cmocka 2 warns of, which is an error here.
new_assertions ()
{
  files 'tests/*.c' | xargs grep -nE 'assert_(not_)?in_(range|set) |will_return_always '
}

echo '# lints'
rule 'the sources are known' known
rule_of clang-format 14 'C sources are laid out by clang-format' layout
rule 'shell scripts are sound' shell
rule 'every source begins with its licence' spdx
rule 'C functions have at most 60 lines' long_c_functions
rule 'Scheme procedures have at most 60 lines' long_scheme_procedures
rule 'C files have at most 400 lines' long_files 400 '*.c' '*.h'
rule 'every module is compiled and installed' modules_are_built
rule 'Scheme files have at most 300 lines' long_files 300 '*.scm'
rule 'the core is pure C with no state' core_is_pure
rule 'the binding leaves the system calls to the core' binding_calls_the_core
rule 'only skp_ names leave the core' exported "$core" skp_
rule 'only scm_skp_ names leave the binding' exported "$binding" scm_skp_
rule 'only skp_tls_ names leave the library of TLS' exported "$tls" skp_tls_
rule 'only scm_skp_ names leave its binding' exported "$tls_binding" scm_skp_
rule 'only what is for TLS loads GnuTLS' gnutls_alone
rule 'the tests in C build with cmocka 2' new_assertions
rule 'nothing waits but what is there for it' one_place_waits
rule 'each layer uses those below it' layers
echo "1..$number"
