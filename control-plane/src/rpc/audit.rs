//! This file's job is to serve the audit log and the use of the plan.

use super::ledger;
use crate::auth::caller::caller;
use crate::context::Context;
use crate::error::Error;
use crate::paging::List;
use db::Scope;
use proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Entries in one message of an export: some 200 KB.
const EXPORTED_AT_ONCE: u32 = 500;
/// Messages that wait for a slow reader.
const EXPORTS_WAITING: usize = 2;

/// The audit service.
#[derive(Clone)]
pub struct Audit {
    /// What use cases need.
    pub context: Context,
}

type Exported = Result<v1::ExportAuditEntriesResponse, Status>;

#[tonic::async_trait]
impl v1::audit_service_server::AuditService for Audit {
    type ExportAuditEntriesStream = ReceiverStream<Exported>;

    async fn list_audit_entries(
        &self,
        request: Request<v1::ListAuditEntriesRequest>,
    ) -> Result<Response<v1::ListAuditEntriesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let list = List { method: "ListAuditEntries", parent: "", organization: caller.organization() };
        let page = self.context.pages.read::<u64>(list, request.page_size, &request.page_token)?;
        let (scope, before, limit) = (caller.scope.clone(), page.after, page.probe());
        let mut rows = self.context.read(move |conn| Ok(db::audit::list(conn, &scope, before, limit)?)).await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.seq.to_string());
        let entries = rows.iter().map(ledger::audit_entry).collect();
        Ok(Response::new(v1::ListAuditEntriesResponse { entries, next_page_token }))
    }

    async fn export_audit_entries(
        &self,
        request: Request<v1::ExportAuditEntriesRequest>,
    ) -> Result<Response<Self::ExportAuditEntriesStream>, Status> {
        let caller = caller(&request)?;
        let (sender, receiver) = mpsc::channel(EXPORTS_WAITING);
        let context = self.context.clone();
        tokio::spawn(export(context, caller.scope, request.get_ref().after_seq, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn get_usage(&self, request: Request<v1::GetUsageRequest>) -> Result<Response<v1::GetUsageResponse>, Status> {
        let caller = caller(&request)?;
        let now = self.context.clock.now();
        let (plan, usage) = self
            .context
            .read(move |conn| Ok((db::plans::of(conn, &caller.scope)?, db::plans::usage(conn, &caller.scope, now)?)))
            .await?;
        Ok(Response::new(v1::GetUsageResponse {
            plan: Some(ledger::plan(&plan)),
            open_uploads: usage.open_uploads,
            builds: usage.builds,
            devices: usage.devices,
        }))
    }
}

/// Sends every entry behind `after`, a page at a time, until the reader goes away or the server stops.
async fn export(context: Context, scope: Scope, mut after: u64, sender: mpsc::Sender<Exported>) {
    loop {
        let of = scope.clone();
        let read = context.read(move |conn| Ok(db::audit::list_after(conn, &of, after, EXPORTED_AT_ONCE)?)).await;
        let answer = match read {
            Ok(rows) if rows.is_empty() => return,
            Ok(rows) => {
                after = rows.last().map_or(after, |row| row.seq);
                Ok(v1::ExportAuditEntriesResponse { entries: rows.iter().map(ledger::audit_entry).collect() })
            }
            Err(error) => Err(Status::from(error)),
        };
        let was_last = answer.is_err();
        let sent = context.stop.run_until(sender.send(answer)).await;
        if was_last || !matches!(sent, Some(Ok(()))) {
            if sent.is_none() {
                let _gone = sender.try_send(Err(Error::unavailable("the server is stopping").into()));
            }
            return;
        }
    }
}
