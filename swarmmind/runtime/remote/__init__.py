"""Effects that are executed in other processes, on this machine or on others, while every promise is kept here.

The *head* is the process of the run: it holds the one journal, the one purse, the one limiter of each endpoint. A
*worker* hosts an ordinary driver, and is given effects under their keys. What its driver would write, reserve or be
let in by are there stand-ins that ask the head (`desk`, `ledgers`, `purses`), so a program cannot tell where it runs.

    head = Head(journal, gates)                         # gates: from an endpoint's name to its limiter
    handlers[Episode] = RemoteHandler(head, player)     # the driver's handler: has it executed by a worker
    async with engine.running(head, order):             # workers come and go
        await driver.run(...)

A worker that is gone is nothing but a link that is broken: what was reserved for its requests in flight is charged at
the worst, its places are free, and its effects are given to other workers, together with what the journal holds
of them by then. So a call that is finished is not made again, and the result is the same.
"""
