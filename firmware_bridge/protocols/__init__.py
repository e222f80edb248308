# SPDX-License-Identifier: Apache-2.0
"""Which bytes are a message? Framing without any input or output."""
