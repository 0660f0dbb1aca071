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
# # Reading dates with attention
#
# An encoder reads a text, a decoder writes another one, and before each character it
# looks back at what was read (Bahdanau, Cho, Bengio 2015; Luong, Pham, Manning 2015;
# lecture 004). Here the texts are dates, times, numbers and countries in eight
# languages, and their ISO form. The whole thing is
# `jaxrnn translate train`; this page takes it apart, at a size that a laptop trains in
# two or three minutes.
#
# It needs `pip install 'jaxrnn[translate]'`.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxrnn as jr
from jaxrnn.data import written
from jaxrnn.models import encoded_batches, translate, translator_vocabulary

# %% [markdown]
# ## The pairs
#
# A source needs no mark to be read; with a mark such as `ca: ` it is to be written. No
# day, no time and no number of the tests is in the training part, in any language.

# %%
corpus = written(size=20_000, test_size=400)
for pair in corpus.train[:8]:
    print(f"{pair.source:45} -> {pair.target}")
{"train": len(corpus.train)} | {name: len(part) for name, part in corpus.tests.items()}

# %% [markdown]
# One vocabulary serves both sides. Its first character is the end of a text, which is
# also what the decoder begins with.

# %%
vocabulary = translator_vocabulary(corpus.pairs())
len(vocabulary)

# %% [markdown]
# ## The model
#
# The encoder reads in both directions. What it puts out is the memory; a bridge makes
# the decoder's first state of its last ones. `Attend` looks after each step, and feeds
# what it saw to the next one. `attention=None` leaves the look out: then everything
# about the source has to pass through the first state.


# %%
def translator(size, attention):
    letters = jr.Embed(len(vocabulary), 32)
    cell = jr.GRU(size, reset="after")
    if attention is not None:
        cell = jr.Attend(cell, attention, memory_size=size, look="after")
    return jr.EncoderDecoder(
        jr.Stack(letters, cell, jr.Dense(len(vocabulary))),
        encoder=jr.Stack(letters, jr.Bidirectional(jr.GRU(size // 2, reset="after"))),
        bridge=jr.Bridge(),
    )


model = translator(128, jr.attention.General())
params = model.init(jax.random.key(0))
print(jr.summary(model))

# %% [markdown]
# ## Training
#
# Teacher forcing: the decoder reads the true characters one step late. Batches hold
# targets of similar lengths, so there is little padding and there are four shapes.

# %%
EPOCHS, BATCH = 6, 64


def objective(model):
    def loss(params, batch, carry, key):
        before = jnp.pad(jnp.asarray(batch.targets), ((1, 0), (0, 0)))[:-1]
        value, _ = jr.unroll_loss(
            model,
            params,
            before,
            batch.targets,
            jr.cross_entropy,
            lengths=batch.target_lengths,
            context={"source": batch.sources, "lengths": batch.source_lengths},
        )
        return value, None

    return loss


def trained(model):
    total = EPOCHS * len(corpus.train) // BATCH
    optimizer = optax.chain(
        jr.training.clip(1.0), optax.adam(3e-3), jr.training.cosine_decay(total)
    )
    params = model.init(jax.random.key(0))
    state = jr.init_state(params, optimizer, jax.random.key(1))
    batches = lambda epoch: encoded_batches(
        corpus.train, vocabulary, batch_size=BATCH, epoch=epoch
    )
    step = jr.train_step(objective(model), optimizer)
    fitted = jr.fit(step, state, batches, epochs=EPOCHS)
    print("loss by epoch:", [round(row["loss"], 4) for row in fitted.history])
    return fitted.best


params = trained(model)

# %% [markdown]
# ## What it learned
#
# Days of years that nobody trained on, by beam search. Each translation comes with its
# score, log p, and with its alignment: how much each character read from each of the
# source's.

# %%
sources = ["9 de febrer del 2024", "Tuesday, November 3, 1987", "ca: 2031-12-25"]
for source, found in zip(
    sources, translate(model, params, vocabulary, sources, beam=4, nbest=2), strict=True
):
    print(source)
    for each in found:
        print(f"  {each.score:7.3f}  {each.text}")

# %%
[[best]] = translate(model, params, vocabulary, [sources[1]])
jr.attention.heat_map(best.alignment, sources[1], best.text + "\n")

# %% [markdown]
# The year is copied digit by digit, the month is read where its name stands, and the
# day before it or after it, as the language has it.
#
# ## And without attention
#
# The same, but for the look. The longer the source, the more it is missed. (The whole
# table: `python -m benchmarks.translation`.)

# %%
blind = translator(128, None)
blind_params = trained(blind)


def exact(model, params, pairs):
    sources = [pair.source for pair in pairs]
    found = translate(model, params, vocabulary, sources, beam=1)
    right = [a.text == b.target for [a], b in zip(found, pairs, strict=True)]
    return float(np.mean(right))


unseen = corpus.tests["dates"] + corpus.tests["years"]
for least, most in ((1, 20), (21, 99)):
    pairs = [pair for pair in unseen if least <= len(pair.source) <= most]
    print(
        f"{least:2} to {most} characters, {len(pairs)} pairs: "
        f"with attention {exact(model, params, pairs):.1%}, "
        f"without {exact(blind, blind_params, pairs):.1%}"
    )
