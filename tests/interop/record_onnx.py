"""Writes what torch exports to ONNX: `cd tests && python -m interop.record_onnx`.

Each model's file, an input and the output, which `test_onnx_torch.py` reads.
"""

import io
import warnings
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "recorded" / "torch_onnx.npz"
MODELS = {
    "lstm": ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    "gru": ("GRU", {"batch_first": True}),
    "rnn": ("RNN", {"num_layers": 2, "nonlinearity": "relu"}),
}


def exported(kind, options):
    """An embedding, a recurrent network, relu and a linear layer."""
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(11, 3)
            self.network = getattr(torch.nn, kind)(3, 4, **options)
            ways = 1 + options.get("bidirectional", False)
            self.linear = torch.nn.Linear(4 * ways, 5)

        def forward(self, x):
            return self.linear(torch.relu(self.network(self.embed(x))[0]))

    model, x, file = Model().eval(), torch.randint(0, 11, (2, 6)), io.BytesIO()
    torch.onnx.export(
        model,
        (x,),
        file,
        dynamo=False,
        input_names=["x"],
        dynamic_axes={"x": {0: "first", 1: "second"}},
    )
    whole = np.frombuffer(file.getvalue(), np.uint8)
    return {"model": whole, "x": x.numpy(), "y": model(x).detach().numpy()}


if __name__ == "__main__":
    import torch

    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    arrays = {
        f"{name}:{key}": array
        for name, model in MODELS.items()
        for key, array in exported(*model).items()
    }
    np.savez(FILE, **arrays)
