"""A laboratory of network namespaces in which every cause of a failing connection is made by the mechanism that makes
it in the field.

    topology   `Lab`, a context manager: builds what `plan` has computed, node by node (`node`)
    scenarios  one table: what is set up, and what a perfect tool would say; rows in table/, words in `scenario`
    serving    starts `services` (small real servers), `responders` (they write their packets), `dns`, `sshd`
    check      what the wire shows in each scenario, measured without netprobe
    netns      the only place that touches namespaces

Everything lives in namespaces of its own; no rule, route, address or interface of the machine's own namespace is
touched.
Needs root, iproute2, nft; sshd (OpenSSH) for the scenarios that run one.
"""
