# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Gradients through time, by hand
#
# Why does a recurrent network not learn what lies a hundred steps back? Lectures 000
# and 004 answer with one recursion. This page writes it down in NumPy, finds that it is
# what `jax.grad` computes, watches its product of Jacobians vanish and explode, and
# measures what each remedy does about it. It takes about two minutes.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import jaxrnn as jr

# In float64 two ways to the same number differ by 1e-12, not by 1e-4.
jax.config.update("jax_enable_x64", True)

# %% [markdown]
# ## The recursion
#
# The vanilla network, its output layer and its loss, for rows as vectors:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad y_t = h_t V + c, \qquad
#   L = \sum_t \tfrac12 \|y_t - d_t\|^2$$
#
# A state $h_t$ moves the loss in two ways: through its own output $y_t$, and through
# the next state. So the gradient comes back from the end, a step at a time (000,
# "recursion for general t"):
#
# $$\frac{\partial L}{\partial h_t} = \frac{\partial D_t}{\partial h_t}
#   + \frac{\partial L}{\partial h_{t+1}} \frac{\partial h_{t+1}}{\partial h_t},
#   \qquad \frac{\partial h_{t+1}}{\partial h_t} = U \,\mathrm{diag}(1 - h_{t+1}^2)$$
#
# Every step uses the same weights, so each weight's gradient is a sum over the steps:
# what the weight reads there, times $\delta_t$, the error of the sum inside tanh:
#
# $$\frac{\partial L}{\partial U} = \sum_t h_{t-1}^\top \delta_t, \quad
#   \frac{\partial L}{\partial W} = \sum_t x_t^\top \delta_t, \quad
#   \frac{\partial L}{\partial b} = \sum_t \delta_t, \quad
#   \delta_t = \frac{\partial L}{\partial h_t} * (1 - h_t^2)$$

# %%
T, N, H, OUT = 30, 3, 8, 2  # steps, sizes of input, state and output
rng = np.random.default_rng(0)
xs, aims = rng.normal(size=(T, N)), rng.normal(size=(T, OUT))

cell, readout = jr.Elman(H), jr.Dense(OUT)
model = jr.Stack(cell, readout, param_dtype="float64")
params = model.init(jax.random.key(0), N)
W, U, b = (
    np.asarray(params[0][name]) for name in ("kernel", "recurrent_kernel", "bias")
)
V, c = (np.asarray(params[1][name]) for name in ("kernel", "bias"))


def forwards(xs):
    """h_0 = 0, h_1, ..., h_T."""
    hs = [np.zeros(H)]
    for x in xs:
        hs.append(np.tanh(x @ W + hs[-1] @ U + b))
    return np.array(hs)


def backwards(hs, aims):
    """What each step's own loss says of its state, and dL/dh_t, of steps 1 to T."""
    own = (hs[1:] @ V + c - aims) @ V.T
    errors, ahead = np.zeros_like(own), np.zeros(H)
    for t in reversed(range(len(own))):
        errors[t] = own[t] + ahead
        ahead = (errors[t] * (1 - hs[t + 1] ** 2)) @ U.T
    return own, errors


hs = forwards(xs)
own, errors = backwards(hs, aims)
deltas = errors * (1 - hs[1:] ** 2)
by_hand = {
    "kernel": xs.T @ deltas,
    "recurrent_kernel": hs[:-1].T @ deltas,
    "bias": deltas.sum(axis=0),
}

# %% [markdown]
# That is all that backpropagation through time is. `jax.grad` finds the same numbers:


# %%
def loss(params):
    _, ys = jr.unroll(model, params, xs)
    return jnp.sum((ys - aims) ** 2) / 2


by_jax, _ = jax.grad(loss)(params)
for name, gradient in by_hand.items():
    np.testing.assert_allclose(by_jax[name], gradient, rtol=1e-10, atol=1e-12)
    print(f"dL/d{name}: largest difference {np.abs(by_jax[name] - gradient).max():.0e}")

# %% [markdown]
# ## The sum over distances
#
# Lecture 004 writes the recursion out. What the loss of step $t$ has to say about step
# $k$ passes a product of $t - k$ Jacobians:
#
# $$\frac{\partial L_t}{\partial U} = \frac{\partial L_t}{\partial h_t}
#   \sum_{k=1}^{t} \Big(\prod_{i=k+1}^{t} \frac{\partial h_i}{\partial h_{i-1}}\Big)
#   \frac{\partial h_k}{\partial U}$$
#
# Sorted by the distance $t - k$ it tells how much of the gradient comes from how far.


# %%
def split(hs, own):
    """dL/dU by distance, `[T, H, H]`: entry k is what came k steps back."""
    parts, signal = [], own
    for _ in range(len(own)):
        delta = signal * (1 - hs[1:] ** 2)
        parts.append(hs[:-1].T @ delta)
        back = delta @ U.T  # every step's signal, one step further back
        signal = np.concatenate([back[1:], np.zeros((1, H))])
    return np.array(parts)


parts = split(hs, own)
np.testing.assert_allclose(parts.sum(axis=0), by_hand["recurrent_kernel"], rtol=1e-10)

figure = Figure(figsize=(7, 3), layout="constrained")
axes = figure.subplots()
axes.bar(range(T), np.linalg.norm(parts, axis=(1, 2)), color="tab:blue")
axes.set(xlabel="steps back", ylabel="size of its part of dL/dU", yscale="log")
axes.set_title("An orthogonal U, and still: what is far away hardly counts")
figure

# %% [markdown]
# ## 0.8 to the hundredth, 1.5 to the hundredth
#
# If every Jacobian shrinks what passes it by 0.8, a hundred of them leave
# $0.8^{100} = 2 \cdot 10^{-10}$; if every one grows it by 1.5, they make
# $1.5^{100} = 4 \cdot 10^{17}$. A relu network does just that if its U is a multiple of
# the identity and all its units are alive. The loss looks at the last output alone;
# `signal` says how large $\partial L / \partial h_t$ is on its way back, as a multiple
# of $\partial L / \partial h_T$.

# %%
STEPS, ROWS, SIZE = 101, 8, 32
steady = np.abs(rng.normal(size=(STEPS, ROWS, N)))
noise = rng.normal(size=(STEPS, ROWS, N))


def last(ys):
    """The mean over rows of one number of the last output."""
    return jnp.mean(jnp.sum(ys[-1], axis=-1))


def signal(cell, params, xs):
    """||dL/dc_t|| / ||dL/dc_T||, from the last state to the first: the mean of rows."""
    flow = jr.gradflow.measure(cell, params, xs, last, distances=1, rows=0)
    (layer,) = flow.layers.values()
    fields = [np.asarray(norms, np.float64) for norms in layer.norms.values()]
    sizes = np.linalg.norm(fields, axis=0)[::-1]
    return np.mean(sizes / sizes[0], axis=1)


def lines(curves, title):
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, (name, sizes) in enumerate(curves.items()):
        seen = np.where(sizes > 1e-20, sizes, np.nan)
        axes.plot(seen, "-" if number < 10 else "--", label=name)
    axes.axhline(1, color="gray", linewidth=0.5)
    axes.set(yscale="log", xlabel="steps back from the loss", title=title)
    axes.set_ylabel("size of the gradient")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def alive(scale):
    """A relu network, U = scale * I, whose inputs keep all units above 0."""
    start = jr.initializers.Identity(scale)
    network = jr.Elman(SIZE, activation="relu", recurrent_init=start)
    params = network.init(jax.random.key(0), N)
    return network, params | {"kernel": abs(params["kernel"])}


curves = {}
for scale in (1.5, 1.0, 0.8):
    sizes = curves[f"U = {scale} I"] = signal(*alive(scale), steady)
    np.testing.assert_allclose(sizes, scale ** np.arange(STEPS), rtol=1e-3)
    print(f"{scale}^100 = {scale**100:.1e}, in the network {sizes[100]:.1e}")
lines(curves, "A relu network, its loss at the end")

# %% [markdown]
# With a squashing activation, f' is a factor too: tanh has 1 at most, where its sum is
# 0, and the logistic function of lecture 000 a quarter. So even an orthogonal U, which
# keeps every norm, loses a signal step by step.

# %%
curves = {}
for function, scale in (("tanh", 1.5), ("tanh", 1.0), ("tanh", 0.8), ("sigmoid", 1.0)):
    start = jr.initializers.Orthogonal(scale)
    network = jr.Elman(SIZE, activation=function, recurrent_init=start)
    params = network.init(jax.random.key(0), N)
    curves[f"{function}, U = {scale} Q"] = signal(network, params, noise)
curves["a quarter, to the k"] = 0.25 ** np.arange(STEPS)
lines(curves, "Squashed, with Q orthogonal")

# %% [markdown]
# ## Remedies
#
# Each is a cell, or a field of one, and the same call measures them all: how much of
# the signal is left after a hundred steps, what that is a step, and Pascanu's Omega
# (003), which is zero if every step keeps the signal's norm,
#
# $$\Omega = \sum_t \left( \frac{\| \partial L / \partial c_t \;
#   \partial c_t / \partial c_{t-1} \|}{\| \partial L / \partial c_t \|} - 1 \right)^2$$

# %%
WEAK = jr.initializers.Orthogonal(0.8)
remedies = {
    "tanh, U = 0.8 Q": jr.Elman(SIZE, recurrent_init=WEAK),
    "orthogonal start": jr.Elman(SIZE),
    "identity and relu (IRNN)": jr.IRNN(SIZE),
    "orthogonal for good": jr.OrthogonalRNN(SIZE),
    "unitary for good": jr.UnitaryRNN(SIZE),
    "leaky units, 0.05": jr.Elman(SIZE, recurrent_init=WEAK, leak=0.05),
    "skips of 10 steps": jr.SkipThroughTime(jr.Elman(SIZE, recurrent_init=WEAK), k=10),
    "layer normalisation": jr.Elman(SIZE, recurrent_init=WEAK, layer_norm=True),
    "GRU": jr.GRU(SIZE),
    "LSTM, forget bias 0": jr.LSTM(SIZE, forget_bias=0.0),
    "LSTM, forget bias 1": jr.LSTM(SIZE),
    "LSTM, chrono": jr.LSTM(SIZE, chrono=STEPS),
}

curves = {}
print(f"{'':31}{'a step':>8}{'after 100':>12}{'Omega':>9}")
for name, network in remedies.items():
    params = network.init(jax.random.key(0), N)
    sizes = curves[name] = signal(network, params, noise)
    omega = jax.jit(jr.gradflow.omega, static_argnums=(0, 3))(
        network, params, noise, last
    )
    print(f"{name:31}{sizes[100] ** 0.01:8.3f}{sizes[100]:12.1e}{float(omega):9.2f}")
lines(curves, "The same loss, the same inputs, other cells")

# %% [markdown]
# What is orthogonal for good loses nothing; an orthogonal start does not undo tanh.
# Leaks, skips and open forget gates are roads around the squashing: the wider they are,
# the more is left. Normalisation keeps sums in range, which helps against explosions,
# not here. One call says such things in words, and `plot` draws them:

# %%
network = remedies["tanh, U = 0.8 Q"]
params = network.init(jax.random.key(0), N)
print(jr.gradflow.measure(network, params, noise, last, rows=0).verdict())

# %% [markdown]
# ## What clipping and small weights do
#
# Clipping does not mend the flow: it takes the length of a step that exploded. By norm
# the direction stays; by value it turns. Small weights do mend it, in one direction:
# what L2 takes off U, it takes off every Jacobian.

# %%
network, params = alive(1.5)
gradient = jax.jit(jax.grad(lambda p: last(jr.unroll(network, p, steady)[1])))(params)
flat = lambda tree: np.concatenate([np.ravel(a) for a in jax.tree.leaves(tree)])
norm = jr.training.global_norm
for by in ("norm", "value"):
    clipped, _ = jr.training.clip(1.0, by=by).update(gradient, optax.EmptyState())
    a, b = flat(gradient) / norm(gradient), flat(clipped) / norm(clipped)
    print(
        f"clipped by {by:6}: size {norm(gradient):.1e} to {norm(clipped):7.2f}, "
        f"cosine of the directions {a @ b:.3f}"
    )

# %%
decay = optax.chain(jr.training.l2(0.1, ("recurrent_kernel",)), optax.sgd(0.1))
state, nothing = decay.init(params), jax.tree.map(jnp.zeros_like, params)
curves = {}
for step in range(61):
    if step % 30 == 0:
        name = f"after {step} steps of L2: U = {params['recurrent_kernel'][0, 0]:.2f} I"
        curves[name] = signal(network, params, steady)
    updates, state = decay.update(nothing, state, params)
    params = optax.apply_updates(params, updates)
lines(curves, "L2 alone, on the network whose gradients explode")

# %% [markdown]
# ## Omega
#
# Added to a loss it asks for weights that keep the norm of the error, wherever it comes
# from. Its gradient is the paper's: of the Jacobians alone, errors and states held
# fixed (`gradient="full"` is all of it). Here it is followed by itself.

# %%
network = remedies["tanh, U = 0.8 Q"]
params = network.init(jax.random.key(0), N)
descend = jax.jit(
    jax.value_and_grad(lambda p: jr.gradflow.omega(network, p, noise, last))
)
curves = {"before": signal(network, params, noise)}
for step in range(101):
    value, slope = descend(params)
    if step % 25 == 0:
        print(f"step {step:3}: Omega {float(value):.2f}")
    params = jax.tree.map(lambda p, g: p - 0.02 * g, params, slope)
curves["after 100 steps down Omega"] = signal(network, params, noise)
lines(curves, "tanh, from U = 0.8 Q")

# %% [markdown]
# ## And does it learn?
#
# A sign at the first step, noise at all the others, and the sign is asked for at the
# end. Guessing costs log 2 = 0.69.

# %%
LENGTH, BATCH, UPDATES = 60, 32, 300


def draw(key):
    """Inputs `[T, B, 2]`, the sign in the first channel, and whether it is positive."""
    first, rest = jax.random.split(key)
    positive = jax.random.bernoulli(first, 0.5, (BATCH,))
    xs = jnp.zeros((LENGTH, BATCH, 2))
    xs = xs.at[0, :, 0].set(jnp.where(positive, 1.0, -1.0))
    return xs.at[:, :, 1].set(jax.random.normal(rest, (LENGTH, BATCH))), positive


def learned(cell, penalty=0.0):
    """The losses of all updates."""
    model = jr.Stack(cell, jr.Dense(2))
    optimizer = optax.chain(jr.training.clip(1.0), optax.adam(3e-3))

    def update(state, key):
        xs, positive = draw(key)
        at_end = lambda ys: jnp.mean(jr.cross_entropy(ys[-1], positive.astype(int)))

        def objective(params):
            value = at_end(jr.unroll(model, params, xs)[1])
            if not penalty:
                return value, value
            return value + penalty * jr.gradflow.omega(model, params, xs, at_end), value

        params, inner = state
        gradient, value = jax.grad(objective, has_aux=True)(params)
        updates, inner = optimizer.update(gradient, inner)
        return (optax.apply_updates(params, updates), inner), value

    params = model.init(jax.random.key(0), 2)
    keys = jax.random.split(jax.random.key(1), UPDATES)
    run = jax.jit(lambda state: jax.lax.scan(update, state, keys))
    return np.asarray(run((params, optimizer.init(params)))[1])


names = ("tanh, U = 0.8 Q", "identity and relu (IRNN)", "orthogonal for good")
names += ("leaky units, 0.05", "skips of 10 steps", "LSTM, chrono")
losses = {name: learned(remedies[name]) for name in names}
losses["tanh, U = 0.8 Q, and Omega"] = learned(remedies[names[0]], penalty=0.1)
for name, values in losses.items():
    print(f"{name:31} loss of the last 20 updates {values[-20:].mean():.3f}")

figure = Figure(figsize=(8, 3.6), layout="constrained")
axes = figure.subplots()
for name, values in losses.items():
    smooth = np.convolve(values, np.ones(20) / 20, "valid")
    axes.plot(smooth, label=name)
axes.axhline(np.log(2), color="gray", linewidth=0.5)
axes.set(xlabel="updates", ylabel="loss", title=f"A sign, {LENGTH} steps later")
axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
figure

# %% [markdown]
# The cells that hand the signal back learn, and Omega teaches the one that did not to
# do so. But the IRNN hands it back too, and has learned nothing in these updates: a
# signal that arrives is needed, and not always enough.
