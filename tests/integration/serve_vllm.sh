#!/bin/bash
# Serve the tiny model on 127.0.0.1, in the foreground, with the flags the tests count on.
# usage: serve_vllm.sh PORT [FOLDER] [vllm serve flags...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
port=$1
root=${2:-$here/../../.integration}
root=$(cd "$root" && pwd)
shift $(($# > 2 ? 2 : $#))
cache=$root/cache
mkdir -p "$cache/rpc"
export PATH="$root/vllm/bin:$PATH"
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
export VLLM_CACHE_ROOT=$cache VLLM_RPC_BASE_PATH=$cache/rpc TORCHINDUCTOR_CACHE_DIR=$cache/inductor
export VLLM_CPU_KVCACHE_SPACE=${VLLM_CPU_KVCACHE_SPACE:-1}
# The server must not starve its client: on few cores its busy loops would, for a second at a time. Where the kernel
# schedules whole sessions against each other, `nice` means nothing between them.
if [ -w /proc/self/autogroup ]; then { echo 10 >/proc/self/autogroup; } 2>/dev/null || true; fi
# Random weights fill JSON with white space for ever unless the grammar forbids it; cached_tokens is off by default.
# Prompts must not be read in chunks: the first one with a seed that is kills a CPU engine ("CPU Generator does not use
# offset": vLLM takes back the draw of an unfinished prompt in a way that only CUDA's generators have).
exec nice -n 10 vllm serve "$root/tiny-model" --served-model-name tiny --host 127.0.0.1 --port "$port" \
  --dtype bfloat16 --max-model-len 4096 --max-num-seqs 64 --generation-config vllm --seed 0 --enforce-eager \
  --no-enable-chunked-prefill --max-num-batched-tokens 16384 --enable-prompt-tokens-details --disable-uvicorn-access-log \
  --structured-outputs-config '{"backend": "xgrammar", "disable_any_whitespace": true}' "$@"
