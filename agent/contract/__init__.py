# SPDX-License-Identifier: Apache-2.0
"""The wire: what crosses from school to centre, in the standard library alone."""
