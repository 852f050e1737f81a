"""Each call of a traced network as ONNX nodes: the rule of each module and function."""

from __future__ import annotations

from collections.abc import Mapping

from nasbench.device.onnx_calls import Rule, Unwritten, same, two_inputs
from nasbench.device.onnx_layers import ATTENTION, EITHER, LAYERS
from nasbench.device.onnx_shapes import SHAPES

__all__ = ["FUNCTIONS", "MODULES", "Rule", "Unwritten"]

MODULES: Mapping[str, Rule] = {**EITHER, **LAYERS, "flatten": SHAPES["flatten"]}

FUNCTIONS: Mapping[str, Rule] = {
    **EITHER,
    **SHAPES,
    **ATTENTION,
    "add": two_inputs("Add"),
    "iadd": two_inputs("Add"),
    "sub": two_inputs("Sub"),
    "mul": two_inputs("Mul"),
    "imul": two_inputs("Mul"),
    "truediv": two_inputs("Div"),
    "div": two_inputs("Div"),
    "matmul": two_inputs("MatMul"),
    "eq": two_inputs("Equal"),
    "or": two_inputs("Or"),
    "and": two_inputs("And"),
    "contiguous": same,
}
