"""ONNX files made node by node with the onnx package, without any exporter of ours."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def onnx_file(tmp_path):
    """`onnx_file(nodes, tensors, input=…)` writes a file; a node is (op, inputs beside the chain's, attributes),
    chained in order.
    """

    def make(nodes, tensors, *, name="encoder.onnx", shape=("n", 3, 32, 48), mutate=None):
        made, before = [], "input"
        for number, (op, inputs, attributes) in enumerate(nodes):
            after = "output" if number == len(nodes) - 1 else f"x{number}"
            made.append(helper.make_node(op, [before, *inputs], [after], name=f"{op.lower()}_{number}", **attributes))
            before = after
        graph = helper.make_graph(
            made,
            "chain",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(tensor, label) for label, tensor in tensors.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        if mutate:
            mutate(model)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return make


@pytest.fixture
def weights():
    """`weights(3, 8, 5)`: random numbers of that shape, of a size that keeps a chain's values near 1."""
    rng = np.random.default_rng(0)

    def make(*shape):
        fan_in = max(1, int(np.prod(shape[1:])))
        return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)

    return make
