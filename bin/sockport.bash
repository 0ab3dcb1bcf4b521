# SPDX-License-Identifier: LGPL-3.0-or-later
# Completion of sockport(1) for bash.

_sockport ()
{
  local current=${COMP_WORDS[COMP_CWORD]} command= options= word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      --) return ;;
      -*) ;;
      *) command=$word; break ;;
    esac
  done
  case $command in
    '') options='connect listen proxy probe ls echo bench --help --version' ;;
    connect) options='--deadline= --family= --from= --json --help' ;;
    listen) options='--deadline= --json --help' ;;
    proxy)
      options='--deadline= --family= --from= --send-proxy-header=
        --accept-proxy-header --json --help' ;;
    probe) options='--deadline= --family= --from= --delay= --json --help' ;;
    ls) options='tcp udp unix --listening --family= --json --help' ;;
    echo) options='--deadline= --json --help' ;;
    bench)
      options='--connections= --size= --seconds= --deadline= --family= --from=
        --json --help' ;;
  esac
  case $current in
    unix:/*)
      mapfile -t COMPREPLY < <(compgen -f -P unix: -- "${current#unix:}") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
  esac
  if [[ ${COMPREPLY[0]-} == *= ]]; then
    compopt -o nospace 2>/dev/null || :
  fi
}
complete -F _sockport sockport
