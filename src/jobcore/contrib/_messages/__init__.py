"""Messages that are got, held, and acknowledged or let go: what brokers for other libraries stand on, each by its name.

`messages` says what is promised; `memory` and `sqlite` keep it.
"""
