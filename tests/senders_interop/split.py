"""A mail server that presents pki/A.pem in TLS 1.3 and pki/B.pem to whoever offers no more than TLS 1.2, as a balancer in
front of two machines may. Its address is the first argument; the second says how it goes another way to TLS, or to none:
`talkative` greets in several lines, `helo-only` knows no EHLO, `unwelcome` refuses to be spoken to, `tls-not-now` and
`tls-refused` answer STARTTLS so, `alert` ends each handshake by an alert, `later` puts the first two callers off."""
import socket, socketserver, ssl, sys

VERSIONS, TLS13 = b"\x00\x2b\x00", b"\x03\x04"


def context(name):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"pki/{name}.pem")
    return made


MANNER = sys.argv[2] if len(sys.argv) > 2 else ""
put_off = 0
NEW, OLD = context("A"), context("B")


class Session(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self):
        global put_off
        if MANNER == "later" and put_off < 2:
            put_off += 1
            return self.wfile.write(b"421 4.3.2 later\r\n")
        if MANNER == "talkative":
            self.wfile.write(b"220-split.interop.test ESMTP\r\n220-\r\n220-nothing is sent here\r\n")
        self.wfile.write(b"220 split.interop.test ESMTP\r\n")
        while line := self.rfile.readline(2048):
            word = line.strip().upper()
            if word.startswith((b"EHLO", b"HELO")) and MANNER == "unwelcome":
                self.wfile.write(b"550 5.7.1 not you\r\n")
            elif word.startswith(b"EHLO") and MANNER == "helo-only":
                self.wfile.write(b"502 5.5.1 unknown\r\n")
            elif word.startswith(b"HELO"):
                self.wfile.write(b"250 split.interop.test\r\n")
            elif word.startswith(b"EHLO"):
                self.wfile.write(b"250-split.interop.test\r\n250 STARTTLS\r\n")
            elif word == b"STARTTLS" and MANNER == "tls-not-now":
                self.wfile.write(b"454 4.7.0 TLS not available\r\n")
            elif word == b"STARTTLS" and MANNER == "tls-refused":
                self.wfile.write(b"554 5.7.0 no TLS\r\n")
            elif word == b"STARTTLS":
                self.wfile.write(b"220 go on\r\n")
                return self.secure()
            elif word == b"QUIT":
                return self.wfile.write(b"221 bye\r\n")
            else:
                return self.wfile.write(b"221 bye\r\n")

    def secure(self):
        if MANNER == "alert":
            self.request.recv(4096)
            return self.request.sendall(b"\x15\x03\x03\x00\x02\x02\x70")
        hello = self.request.recv(4096, socket.MSG_PEEK)
        at = hello.find(VERSIONS)
        offered = hello[at + 5 : at + 5 + hello[at + 4]] if at > 0 else b""
        try:
            stream = (NEW if MANNER or TLS13 in offered else OLD).wrap_socket(self.request, server_side=True)
            while line := stream.recv(2048):
                quits = line.strip().upper() == b"QUIT"
                stream.sendall(b"221 bye\r\n" if quits else b"250 split.interop.test\r\n")
                if quits:
                    return
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server((sys.argv[1], 25), Session).serve_forever()
