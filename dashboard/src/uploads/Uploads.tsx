// This file's job is to list an app's uploads and follow those that are being worked on.
import { useQuery } from '@tanstack/react-query';
import { useClients } from '../api/clients.js';
import { uploadsQuery } from '../api/queries.js';
import { type Upload, UploadState } from '../gen/aloft/v1/uploads_pb.js';
import { lastPart } from '../names.js';
import { Badge } from '../parts/Badge.js';
import { CopyText } from '../parts/CopyText.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { Empty } from '../parts/Screen.js';
import { formatSize } from '../sizes.js';
import { PLATFORMS, UPLOAD_STATES } from '../words.js';

export function Uploads({ app }: { app: string }) {
  const uploads = useQuery(uploadsQuery(useClients(), app));
  return (
    <Loaded query={uploads} rows={5}>
      {({ items, cut }) =>
        items.length === 0 ? (
          <Empty title="No uploads yet">
            <p>
              Upload a bundle with the command line tool: <code>aloft upload --help</code> shows how.
            </p>
          </Empty>
        ) : (
          <>
            <UploadTable uploads={newestFirst(items)} />
            {cut && <p className="muted">There are more uploads than are shown here.</p>}
          </>
        )
      }
    </Loaded>
  );
}

/** In whatever order the server lists them. */
function newestFirst(uploads: readonly Upload[]): Upload[] {
  return [...uploads].sort((a, b) => (a.createdAtUs < b.createdAtUs ? 1 : -1));
}

function UploadTable({ uploads }: { uploads: Upload[] }) {
  return (
    <div className="table-frame">
      <table className="table stacking">
        <caption className="only-heard">Uploads, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Upload</th>
            <th scope="col">Platform</th>
            <th scope="col">Size</th>
            <th scope="col">State</th>
            <th scope="col">Created</th>
          </tr>
        </thead>
        <tbody>
          {uploads.map((upload) => (
            <UploadRow key={upload.name} upload={upload} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function UploadRow({ upload }: { upload: Upload }) {
  const { word, tone } = UPLOAD_STATES[upload.state];
  return (
    <tr>
      <th scope="row">
        <CopyText value={lastPart(upload.name)} what="upload id" />
      </th>
      <td data-label="Platform">{PLATFORMS[upload.platform]}</td>
      <td data-label="Size" className="figure">
        {formatSize(upload.archiveSizeBytes)}
      </td>
      <td data-label="State">
        <Badge tone={tone}>{word}</Badge>
        {upload.state === UploadState.RECEIVING && <Received upload={upload} />}
        {upload.failure && (
          <p className="problem">
            {upload.failure.message} <code>{upload.failure.reason}</code>
          </p>
        )}
      </td>
      <td data-label="Created">
        <Moment us={upload.createdAtUs} />
      </td>
    </tr>
  );
}

function Received({ upload }: { upload: Upload }) {
  const total = Number(upload.archiveSizeBytes);
  return (
    <span className="received">
      <progress max={total} value={Number(upload.receivedBytes)} aria-label="Received" />
      {formatSize(upload.receivedBytes)}
    </span>
  );
}
