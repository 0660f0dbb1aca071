"""ONNX's LSTM, GRU and RNN in float64 NumPy, written from the operators' equations."""

import numpy as np

FUNCTIONS = {
    "Relu": lambda x, a, b: np.maximum(x, 0),
    "Tanh": lambda x, a, b: np.tanh(x),
    "Sigmoid": lambda x, a, b: 1 / (1 + np.exp(-x)),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "ThresholdedRelu": lambda x, a, b: np.where(x >= a, x, 0),
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "HardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "Elu": lambda x, a, b: np.where(x >= 0, x, a * (np.exp(x) - 1)),
    "Softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "Softplus": lambda x, a, b: np.log(1 + np.exp(x)),
}
HAS_ALPHA = (
    "Affine",
    "LeakyRelu",
    "ThresholdedRelu",
    "ScaledTanh",
    "HardSigmoid",
    "Elu",
)
HAS_BETA = ("Affine", "ScaledTanh", "HardSigmoid")
DEFAULTS = {
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "RNN": ["Tanh"],
}


def run(name, attributes, arrays):
    """Y, Y_h and, of an LSTM, Y_c.

    Args:
      name: of the operator.
      attributes: as a node has them; alpha and beta stated for all that take them.
      arrays: X, W, R and, where there are, B, sequence_lens, initial_h, initial_c, P.
    """
    arrays = {key: np.asarray(a) for key, a in arrays.items()}
    X = arrays["X"].astype(np.float64)
    batch_major = attributes.get("layout", 0)
    X = X.swapaxes(0, 1) if batch_major else X
    D = arrays["W"].shape[0]
    per_direction = []
    for d in range(D):
        backwards = attributes.get("direction") == "reverse" or d == 1
        per_direction.append(
            _direction(name, attributes, arrays, X, (d, backwards, batch_major))
        )
    Y, *states = (np.stack(parts) for parts in zip(*per_direction, strict=True))
    Y = Y.swapaxes(0, 1)  # [T, D, B, H]
    if batch_major:
        Y = Y.transpose(2, 0, 1, 3)
        states = [state.swapaxes(0, 1) for state in states]
    return [Y, *states]


def _direction(name, attributes, arrays, X, place):
    d, backwards, batch_major = place
    T, B, _ = X.shape
    D, _, H = arrays["R"].shape
    own = {key: arrays[key][d].astype(np.float64) for key in ("W", "R")}
    own["B"] = arrays["B"][d] if "B" in arrays else np.zeros(2 * own["W"].shape[0])
    own["P"] = arrays["P"][d] if "P" in arrays else np.zeros(3 * H)
    lengths = arrays.get("sequence_lens", np.full(B, T))
    states = []
    for key in ("initial_h", "initial_c")[: 1 + (name == "LSTM")]:
        given = arrays.get(key, np.zeros((B, D, H) if batch_major else (D, B, H)))
        given = given.swapaxes(0, 1) if batch_major else given
        states.append(given[d].astype(np.float64).copy())
    step = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[name]
    functions = _functions(name, attributes, d)
    Y = np.zeros((T, B, H))
    for row in range(B):
        times = range(lengths[row])
        for t in reversed(times) if backwards else times:
            before = [state[row] for state in states]
            after = step(X[t, row], before, own, functions, attributes)
            for state, value in zip(states, after, strict=True):
                state[row] = value
            Y[t, row] = after[0]
    return Y, *states


def _functions(name, attributes, d):
    """The functions of one direction; all but h see clipped sums."""
    names = attributes.get("activations", DEFAULTS[name] * 2)
    alphas = iter(attributes.get("activation_alpha", ()))
    betas = iter(attributes.get("activation_beta", ()))
    count, limit = len(DEFAULTS[name]), attributes.get("clip", np.inf)
    made = []
    for number, one in enumerate(names):
        alpha = next(alphas) if one in HAS_ALPHA else None
        beta = next(betas) if one in HAS_BETA else None
        bound = np.inf if number % count == 2 else limit
        made.append(
            lambda x, one=one, a=alpha, b=beta, bound=bound: FUNCTIONS[one](
                np.clip(x, -bound, bound), a, b
            )
        )
    return made[d * count : (d + 1) * count]


def _rnn(x, states, own, functions, attributes):
    (h,), (f,) = states, functions
    Wb, Rb = np.split(own["B"], 2)
    return [f(own["W"] @ x + own["R"] @ h + Wb + Rb)]


def _gru(x, states, own, functions, attributes):
    (h,), (f, g) = states, functions
    Wz, Wr, Wh = np.split(own["W"], 3)
    Rz, Rr, Rh = np.split(own["R"], 3)
    Wbz, Wbr, Wbh, Rbz, Rbr, Rbh = np.split(own["B"], 6)
    z = f(Wz @ x + Rz @ h + Wbz + Rbz)
    r = f(Wr @ x + Rr @ h + Wbr + Rbr)
    if attributes.get("linear_before_reset"):
        n = g(Wh @ x + r * (Rh @ h + Rbh) + Wbh)
    else:
        n = g(Wh @ x + Rh @ (r * h) + Rbh + Wbh)
    return [(1 - z) * n + z * h]


def _lstm(x, states, own, functions, attributes):
    (H, C), (f, g, h) = states, functions
    sums = own["W"] @ x + own["R"] @ H + sum(np.split(own["B"], 2))
    i, o, forget, c = np.split(sums, 4)
    Pi, Po, Pf = np.split(own["P"], 3)
    i = f(i + Pi * C)
    forget = 1 - i if attributes.get("input_forget") else f(forget + Pf * C)
    C = forget * C + i * g(c)
    o = f(o + Po * C)
    return [o * h(C), C]
