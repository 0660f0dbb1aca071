"""Recurrent networks side by side: jaxrnn and other libraries, on the same numbers.

    python -m benchmarks.peers [--quick]

All compute in float32, each in the fastest form that it documents. Forward is all
outputs; training is the sum of their squares and its gradient with respect to the
parameters, not the inputs. A library is compared where it has such a network: GRUs with
the reset after the product are held against those, and those before against those.

`work` says what is run and what it costs, `libraries` how each library runs it,
`contest` checks that all compute the same and takes their times, `report` holds them
against the bars, `picture` draws them. A library more is a function more in
`libraries`, and a row in its table.
"""
