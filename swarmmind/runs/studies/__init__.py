"""`swarmmind optimize`: a task's study from its file to its price, its result and the written winner.

The study is a program like any other (`plan`), in a run folder like any other: it is journaled, limited, resumed and
stopped at its walls by the same runtime. What may change is tied to the task by `parameters`; `teams` makes a team of
a candidate, `evaluator` lets it work; `write` leaves the winner as ordinary parts.
"""
