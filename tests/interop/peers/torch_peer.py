"""torch runs its own modules."""

import dataclasses
import zlib
from typing import Any

import numpy as np

import jaxrnn as jr
from interop.peers.run import LENGTHS, Case, H, N, Run, draw
from jaxrnn.interop.layers import carries

P = 2  # the size of projected states
_LSTM, _GRU = jr.LSTM(H, recurrent_bias=True), jr.GRU(H, "after", recurrent_bias=True)
_RELU = jr.Elman(H, activation="relu", recurrent_bias=True)
_SMALL = _LSTM.replace(projection_size=P)
_BOTH = {"num_layers": 2, "bidirectional": True}


def _twice(layer: jr.Cell) -> jr.Cell:
    return jr.Stack(layer, layer)


CASES = [
    Case("lstm", "LSTM", _LSTM),
    Case("lstm_deep", "LSTM", _twice(jr.Bidirectional(_LSTM)), _BOTH, lengths=LENGTHS),
    Case(
        "lstm_projected",
        "LSTM",
        _twice(jr.Bidirectional(_SMALL)),
        _BOTH | {"proj_size": P},
    ),
    Case("lstm_no_bias", "LSTM", jr.LSTM(H), {"bias": False}),
    Case("gru", "GRU", _GRU, lengths=LENGTHS),
    Case("gru_deep", "GRU", _twice(jr.Bidirectional(_GRU)), _BOTH),
    Case("rnn", "RNN", _twice(jr.Elman(H, recurrent_bias=True)), {"num_layers": 2}),
    Case("rnn_relu", "RNN", _RELU, {"nonlinearity": "relu"}, told=True),
]
interop = jr.interop.torch


def module(case: Case, dtype: Any = np.float64) -> Any:
    import torch

    made = getattr(torch.nn, case.kind)(N, H, **case.options)
    return made.to(getattr(torch, np.dtype(dtype).name))


def drawn(case: Case, dtype: Any = np.float64) -> Run:
    """Random numbers for a case."""
    blank = module(case)
    shapes = {name: tuple(p.shape) for name, p in blank.state_dict().items()}
    both, deep = 1 + blank.bidirectional, blank.num_layers
    width = blank.proj_size or H
    states = [(both * deep, B_, size) for B_, size in ((4, width), (4, H))]
    states = states if case.kind == "LSTM" else states[:1]
    seed = zlib.crc32(case.name.encode())
    return draw(shapes, states, both * width, seed, dtype)


def run(case: Case, given: Run) -> Run:
    """The peer's outcome."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    net = module(case, given.xs.dtype)
    net.load_state_dict({k: torch.tensor(w) for k, w in given.weights.items()})
    xs = torch.tensor(given.xs, requires_grad=True)
    start = [torch.tensor(s, requires_grad=True) for s in given.start]
    read = xs
    if case.lengths is not None:
        lengths = torch.tensor(case.lengths)
        read = pack_padded_sequence(xs, lengths, enforce_sorted=False)
    ys, end = net(read, tuple(start) if len(start) > 1 else start[0])
    if case.lengths is not None:
        ys, _ = pad_packed_sequence(ys, total_length=len(xs))
    end = list(end) if isinstance(end, tuple) else [end]
    loss = (ys * torch.tensor(given.push)).sum()
    loss = loss + sum(
        (e * torch.tensor(p)).sum() for e, p in zip(end, given.pull, strict=True)
    )
    loss.backward()
    array = lambda tensor: tensor.detach().numpy()
    return dataclasses.replace(
        given,
        ys=array(ys),
        end=[array(e) for e in end],
        d_weights={name: array(p.grad) for name, p in net.named_parameters()},
        d_xs=array(xs.grad),
        d_start=[array(s.grad) for s in start],
    )


def foreign(case: Case, weights: Any) -> Any:
    """What `read` takes: a state_dict."""
    return weights


def states(case: Case, arrays: Any) -> Any:
    """States as `read_carry` takes them."""
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


def weights_of(written: Any) -> dict[str, np.ndarray]:
    """Arrays by name from what `write` returned."""
    return {name: tensor.numpy() for name, tensor in written.items()}


def read(case: Case, weights: Any) -> Any:
    """`read` of weights by name."""
    return interop.read(foreign(case, weights), case.cell if case.told else None)


def write(case: Case, cell: Any, params: Any) -> dict[str, np.ndarray]:
    """The inverse of `read`."""
    return weights_of(interop.write(cell, params))


def leave(cell: Any, carry: Any) -> Any:
    """`write_carry` where torch may be missing."""
    parts = carries(cell, carry)
    if not isinstance(parts[0], jr.LSTMCarry):
        return np.stack(parts)
    return np.stack([p.hidden for p in parts]), np.stack([p.cell for p in parts])
