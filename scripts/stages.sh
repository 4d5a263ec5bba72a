# Stages: each a headline, its own output, and one line with its time; at the end all of them at a glance.
# Sourced by scripts/check and scripts/test. A stage that fails does not hide the ones after it.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
readonly BIN=.venv/bin
readonly REPORTS=.reports
# Tests start hundreds of processes of ours: each compiling all of its sources again would double what that costs.
unset PYTHONDONTWRITEBYTECODE
rm -rf $REPORTS
mkdir -p $REPORTS
lines=()
failed=0
running=
ahead=

# An interrupt ends the stage that runs, with everything that it started.
trap '[ -z "$running$ahead" ] || kill -TERM -- ${ahead:+"$ahead"} ${running:+"-$running"} 2>/dev/null; exit 130' INT TERM

# stage NAME LIMIT COMMAND...: run it, in its own process group, for at most LIMIT seconds.
stage() {
  local name=$1 limit=$2 began took status line
  shift 2
  printf '\n==> %s\n' "$name"
  began=${EPOCHREALTIME/./}
  timeout --kill-after=10 "$limit" "$@" </dev/null &
  running=$!
  wait $running
  status=$?
  running=
  took=$(((${EPOCHREALTIME/./} - began) / 100000))
  case $status in
    0) line=ok ;;
    124 | 137) line="failed: not done after $limit s" ;;
    *) line="failed: exit $status" ;;
  esac
  [ $status = 0 ] || failed=$((failed + 1))
  printf -v line '%-28s %6s s  %s' "$name" "$((took / 10)).$((took % 10))" "$line"
  lines+=("$line")
  printf -- '--- %s\n' "$line"
}

# tests NAME LIMIT PYTEST-ARGUMENT...
tests() {
  local name=$1 limit=$2
  shift 2
  stage "$name" "$limit" $BIN/python -m pytest --quiet --junitxml="$REPORTS/${name// /-}.xml" "$@"
}

check_stages() {
  stage format 60 $BIN/ruff format --check --quiet .
  stage lint 60 $BIN/ruff check --quiet .
  stage types 600 $BIN/mypy
  stage shell 60 $BIN/shellcheck --external-sources --source-path=SCRIPTDIR .ci/run scripts/bench scripts/check \
    scripts/lock scripts/setup scripts/stages.sh scripts/test
  tests architecture 300 tests/architecture
  tests unit 900 -n 2 tests/unit
}

# Begin to compile what `compiled` needs, beside stages that keep one processor busy.
compile_ahead() {
  (
    trap 'kill "$!"' TERM
    $BIN/python scripts/compile.py --quick --copy .tools/compiled </dev/null >$REPORTS/compile.log 2>&1 &
    wait "$!"
    echo $? >$REPORTS/compile.exit
  ) &
  ahead=$!
}

# The tests of hot modules once more, on what `make fast` compiles to C: the same source must behave the same.
compiled() {
  # shellcheck disable=SC2016  # the inner shell's arguments
  stage "compile, what is left" 900 sh -c 'tail --pid="$0" -f /dev/null; cat "$1/compile.log"; exit "$(cat "$1/compile.exit")"' \
    "$ahead" $REPORTS
  ahead=
  stage "hot modules, compiled" 900 $BIN/python -m pytest --quiet --junitxml="$PWD/$REPORTS/compiled.xml" -n 2 \
    --rootdir .tools/compiled --config-file .tools/compiled/pyproject.toml \
    .tools/compiled/tests/{unit,integration}/gateway .tools/compiled/tests/unit/sync \
    .tools/compiled/tests/integration/sync/{api,sqlite}
}

# The end: every stage at a glance, and one line in the form of pytest's own for all the tests together.
finish() {
  printf '\n'
  printf '%s\n' "${lines[@]}"
  $BIN/python scripts/totals.py --failed-stages $failed $REPORTS/*.xml
}
