"""A laboratory of network namespaces in which every cause of a failing connection is made by the mechanism that makes
it in the field.

    topology   the nodes and their wires: `Lab`, a context manager
    scenarios  one table: what is set up, and what a perfect tool would say about it
    services   small real servers; `responders` holds those that write their own packets
    check      what the wire shows in each scenario, measured without netprobe
    netns      the only place that touches namespaces

Everything lives in namespaces of its own; no rule, route, address or interface of the machine's own namespace is
touched.
Needs root, iproute2, nft; sshd (OpenSSH) for the scenarios that run one.
"""
