#!/usr/bin/env bash
# Measures everything that is claimed about GPUs, in at most 9 minutes on one NVIDIA H100 or H200:
#   DATA=/path/to/BSDS500 benchmarks/gpu.sh
# It prints one table and writes it to benchmarks/GPU.md. Without DATA it takes the embedded scenes.
#   --tiny            everything once in sizes for a CPU, as a test; the table goes to OUT/GPU.md
#   --wheels FOLDER   first install the dependencies from wheels in FOLDER, without a network
# Variables: OUT, the folder of logs and models (default: a temporary one); PARTS, some of the parts;
# and the time limit of a part in seconds, for example STUDY_LIMIT=30. A part that fails or is stopped leaves the others alive.
set -uo pipefail
COMMAND="${DATA:+DATA=BSDS500 }benchmarks/gpu.sh $*"
TINY=() WHEELS=
while [ $# -gt 0 ]; do
  case $1 in
    --tiny) TINY=(--tiny) ;;
    --wheels) WHEELS=$(realpath "${2:?--wheels needs a folder}"); shift ;;
    *) echo "gpu.sh: unknown argument $1; it takes --tiny and --wheels FOLDER" >&2; exit 2 ;;
  esac
  shift
done
[ -z "${DATA:-}" ] || DATA=$(realpath "$DATA")
OUT=$(realpath -m "${OUT:-$(mktemp -d)}")
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export DATA OUT PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" WANDB_MODE=disabled
PYTHON=${PYTHON:-python}
mkdir -p "$OUT" && : >"$OUT/parts.txt"

if [ -n "$WHEELS" ]; then
  "$PYTHON" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' |
    "$PYTHON" -m pip install --quiet --no-index --find-links "$WHEELS" --requirement /dev/stdin || exit 1
fi

part() {  # NAME LIMIT: runs benchmarks/gpu_NAME.py for at most LIMIT seconds, and notes how it ended
  local name=$1 limit_of=${1^^}_LIMIT start=$SECONDS status
  local limit=${!limit_of:-$2}
  [[ " ${PARTS:-$name} " == *" $name "* ]] || return 0
  echo "$name: at most $limit s" >&2
  timeout --kill-after=5 "$limit" "$PYTHON" "benchmarks/gpu_$name.py" --rows "$OUT/$name.jsonl" --seconds "$limit" \
    ${TINY[@]+"${TINY[@]}"} >"$OUT/$name.log" 2>&1
  status=$?
  echo "$name $status $((SECONDS - start)) $limit" >>"$OUT/parts.txt"
}

rm -f "$OUT"/*.jsonl
TARGET=benchmarks/GPU.md
[ ${#TINY[@]} -eq 0 ] || TARGET=$OUT/GPU.md
part data 60
part rounds 75
part training 50
part regions 50
part study 70
part models 225
"$PYTHON" benchmarks/gpu_table.py "$OUT" "$TARGET" "$COMMAND"
echo "logs: $OUT" >&2
