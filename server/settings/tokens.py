"""Everything that can be set about access tokens."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

#: Environment variable with the secret of HS256: never on a command line, where every process could read it.
SECRET_VARIABLE = "PUSHSCOPE_JWT_SECRET"

TakenFrom = Literal["either", "connect", "handshake"]


class TokenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an instance checks the JWTs of its clients; exactly one of the first four is given.

    The key says which algorithm is accepted, whatever a token's head says: HS256 for a secret, RS256 for a
    public key, and in a JWKS file RS256 for RSA keys and HS256 for symmetric ones. Files are read again
    when they change, so that keys can be rotated.

    Attributes:
        secret: Secret of HS256, at least 32 bytes; hidden in ``repr``.
        secret_file: A file with it; blanks and line ends around it do not count.
        public_key_file: A PEM file with the public RSA key of RS256, at least 2048 bits.
        jwks_file: A file with a JSON Web Key Set, as identity providers publish it; the token's ``kid``
            chooses the key.
        required: Whether a client without a token is refused; else it is anonymous, whatever ``?user=`` and
            CONNECT say.
        user_claim: The claim that names the user.
        audience: What ``aud`` must contain, if anything.
        issuer: What ``iss`` must be, if anything.
        leeway_s: How far clocks may be apart when ``exp`` and ``nbf`` are checked.
        taken_from: Where a client may bring its token: in the ``handshake``, in STOMP's ``connect`` frame, or
            in ``either``. Two tokens of one client must be of one user. With ``connect`` a token of the
            handshake is checked, and CONNECT has to bring one all the same.
        connect_within_s: How long a client that has proven nothing yet has for its CONNECT.
        end_at_expiry: Whether a session is closed with 4401 when its token expires. Without, it lives on:
            the token is the key to the door, and who is in may stay.
    """

    secret: str = ""
    secret_file: str = ""
    public_key_file: str = ""
    jwks_file: str = ""
    required: bool = True
    user_claim: Annotated[str, msgspec.Meta(min_length=1)] = "sub"
    audience: str = ""
    issuer: str = ""
    leeway_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 5.0
    taken_from: TakenFrom = "either"
    connect_within_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 10.0
    end_at_expiry: bool = False

    def __repr__(self) -> str:
        shown = msgspec.structs.asdict(self) | {"secret": "***" if self.secret else ""}
        return f"TokenSettings({', '.join(f'{name}={value!r}' for name, value in shown.items() if value)})"
