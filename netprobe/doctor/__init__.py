"""The server's side: plain facts about this machine, and checks that are pure functions from facts to findings."""
