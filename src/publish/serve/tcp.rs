//! DNS over TCP: connections that are few, brief, and written no faster than they are read (RFC 7766).
//!
//! hickory's own listener queues responses and fails when the queue is full; a zone transfer needs back-pressure.

use super::handler::Handler;
use async_trait::async_trait;
use hickory_server::net::NetError;
use hickory_server::net::runtime::TokioTime;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Header, MessageType, ResponseCode};
use hickory_server::proto::rr::Record as WireRecord;
use hickory_server::proto::serialize::binary::{BinDecodable, BinDecoder, BinEncoder};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder, Queries};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections held at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 128;
/// How long a connection may rest between requests, or take for one (RFC 7766 §6.2.3).
const IDLE: Duration = Duration::from_secs(8);
/// How long a reader may take for one message of ours before we give it up.
const STALLED: Duration = Duration::from_secs(20);
/// How long transfers under way may go on after shutdown was asked for.
const FAREWELL: Duration = Duration::from_secs(2);

/// Accepts until `stop` turns true, then lets what is under way end.
pub(super) async fn listen(
    listener: TcpListener,
    handler: Handler,
    mut stop: watch::Receiver<bool>,
) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = accept(&listener, &free) => accepted,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        let Some((stream, peer, permit)) = accepted else {
            continue;
        };
        let (handler, stop) = (handler.clone(), stop.clone());
        connections.spawn(async move {
            serve(stream, peer, handler, stop).await;
            drop(permit);
        });
    }
    let _ = timeout(FAREWELL, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = Arc::clone(free).acquire_owned().await.ok()?;
    if let Ok((stream, peer)) = listener.accept().await {
        return Some((stream, peer, permit));
    }
    // Out of file descriptors, or the peer has gone already: the next try must not spin.
    tokio::time::sleep(Duration::from_millis(50)).await;
    None
}

/// One connection: requests in turn, each answered before the next is read.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    handler: Handler,
    mut stop: watch::Receiver<bool>,
) {
    let (mut reader, writer) = stream.into_split();
    let out = TcpOut {
        writer: Arc::new(Mutex::new(writer)),
    };
    loop {
        let message = tokio::select! {
            message = timeout(IDLE, read(&mut reader)) => message,
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        let Ok(Some(message)) = message else {
            return;
        };
        if !respond(message, peer, &handler, &out).await {
            return;
        }
    }
}

async fn read(reader: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let length = reader.read_u16().await.ok()?;
    let mut message = vec![0; usize::from(length)];
    reader.read_exact(&mut message).await.ok()?;
    Some(message)
}

/// Answers one message; whether the connection is worth keeping.
async fn respond(message: Vec<u8>, peer: SocketAddr, handler: &Handler, out: &TcpOut) -> bool {
    let Ok(header) = Header::read(&mut BinDecoder::new(&message)) else {
        return false;
    };
    // A response to a response is how loops begin.
    if header.metadata.message_type == MessageType::Response {
        return false;
    }
    let Ok(request) = Request::from_bytes(message, peer, Protocol::Tcp) else {
        let Ok(nothing) = Queries::read(&mut BinDecoder::new(&[]), 0) else {
            return false;
        };
        let unreadable = MessageResponseBuilder::new(&nothing, None)
            .error_msg(&header.metadata, ResponseCode::FormErr);
        return out.clone().send_response(unreadable).await.is_ok();
    };
    handler
        .handle_request::<_, TokioTime>(&request, out.clone())
        .await;
    true
}

#[derive(Clone)]
struct TcpOut {
    writer: Arc<Mutex<OwnedWriteHalf>>,
}

#[async_trait]
impl ResponseHandler for TcpOut {
    async fn send_response<'a>(
        &mut self,
        response: MessageResponse<
            '_,
            'a,
            impl Iterator<Item = &'a WireRecord> + Send + 'a,
            impl Iterator<Item = &'a WireRecord> + Send + 'a,
            impl Iterator<Item = &'a WireRecord> + Send + 'a,
            impl Iterator<Item = &'a WireRecord> + Send + 'a,
        >,
    ) -> Result<ResponseInfo, NetError> {
        let mut octets = Vec::with_capacity(2048);
        let mut encoder = BinEncoder::new(&mut octets);
        let info = response.destructive_emit(&mut encoder)?;
        let length =
            u16::try_from(octets.len()).map_err(|_| NetError::from("a message above 64 KiB"))?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.append(&mut octets);
        let mut writer = self.writer.lock().await;
        timeout(STALLED, writer.write_all(&framed))
            .await
            .map_err(|_| NetError::from("the requester does not read"))??;
        Ok(info)
    }
}
