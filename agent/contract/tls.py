# SPDX-License-Identifier: Apache-2.0
"""Whom does a connection trust, and with what does it show itself? Files are read, nothing is connected."""

from __future__ import annotations

import ssl

from agent.contract.decoder import DecodeError


def trusting(key: str, ca_file: str) -> ssl.SSLContext:
    """A client's TLS that checks the other side against these certificates only.

    Raises:
        DecodeError: the file, named by `key`, cannot be used.
    """
    _refuse_unreadable(key, ca_file)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as e:
        raise _no_certificate(key, ca_file) from e
    except OSError as e:  # it could be opened; a bad place of the disk shows only now
        raise DecodeError(key, f"{ca_file} cannot be read: {e.strerror}") from e
    if not context.cert_store_stats()["x509"]:
        raise _no_certificate(key, ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Closing
    return context


def distrust(error: BaseException | None) -> str | None:
    """Why the other side is not trusted and what to do about it, None for any other trouble."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    return (
        f"certificate verify failed: {error.verify_message}: is mqtt.ca_file of the authority that signed "
        "the broker's certificate, mqtt.host a name in it, and the clock right?"
    )


def show_certificate(context: ssl.SSLContext, table: str, cert_file: str, key_file: str) -> None:
    """Show the other side this certificate.

    Raises:
        DecodeError: one of the files, keys `cert_file` and `key_file` of `table`, cannot be used.
    """
    certificate, key = f"{table}.cert_file", f"{table}.key_file"
    _refuse_unreadable(certificate, cert_file)
    _refuse_unreadable(key, key_file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert_file)
    except ssl.SSLError as e:
        raise _no_certificate(certificate, cert_file) from e
    except OSError as e:
        raise DecodeError(certificate, f"{cert_file} cannot be read: {e.strerror}") from e
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_passphrase)
    except ssl.SSLError as e:
        if e.reason == "KEY_VALUES_MISMATCH":
            raise DecodeError(key, f"{key_file} is not the key of {cert_file}") from e
        if e.reason == "EE_KEY_TOO_SMALL":
            raise DecodeError(certificate, f"{cert_file} has a key that is too short") from e
        raise DecodeError(key, f"{key_file} holds no private key in PEM form") from e
    except OSError as e:
        raise DecodeError(key, f"{key_file} cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise DecodeError(key, f"{key_file} {e}") from e


class _Closing(ssl.SSLSocket):
    """Closed at once when the handshake fails: paho leaves it to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT002 -- as it is inherited
        """As inherited."""
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


def _refuse_unreadable(key: str, file: str) -> None:
    try:
        with open(file, "rb"):  # noqa: PTH123 -- the path as OpenSSL is handed it
            return
    except OSError as e:
        raise DecodeError(key, f"{file} cannot be read: {e.strerror}") from e
    except ValueError as e:  # a NUL in the name
        raise DecodeError(key, f"{file!r} cannot be read: {e}") from e


def _no_certificate(key: str, file: str) -> DecodeError:
    return DecodeError(key, f"{file} holds no certificate in PEM form")


def _no_passphrase() -> str:
    """OpenSSL would ask for it on the terminal."""
    raise ValueError("is encrypted; nobody is there to type its passphrase, so it must not be")
