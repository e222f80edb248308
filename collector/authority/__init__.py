# SPDX-License-Identifier: Apache-2.0
"""Who is a device, who says so, and until when? A small certificate authority, and what it decides."""
