# SPDX-License-Identifier: Apache-2.0
"""What every probe that asks the network shares: echo sockets, routes, resolvers, round-trip figures."""
