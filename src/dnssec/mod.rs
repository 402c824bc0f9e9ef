//! DNSSEC signing and its independent check (RFC 4033 to 4035, 5155, 9364).
