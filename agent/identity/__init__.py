# SPDX-License-Identifier: Apache-2.0
"""How does a device prove who it is? Keys made on it, its certificate, and the signature under each batch."""
