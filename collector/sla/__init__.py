# SPDX-License-Identifier: Apache-2.0
"""Which service did a school get, by the contract's definitions? Pure functions: no clock, file or socket."""
