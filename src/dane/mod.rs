//! DANE over values (RFC 6698, 7671, 7672): associations of certificates and keys, and the judgement of a chain.
