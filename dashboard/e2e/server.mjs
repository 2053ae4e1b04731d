// This file's job is to talk to the control plane as a program would: to prepare what the browser sees, and to check what it did.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { AppService } from '../src/gen/aloft/v1/apps_pb.js';
import { ChannelService } from '../src/gen/aloft/v1/channels_pb.js';
import { ReleaseService } from '../src/gen/aloft/v1/releases_pb.js';
import { ArchiveFormat, UploadService, UploadState } from '../src/gen/aloft/v1/uploads_pb.js';

/** The server's limit for one piece. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** A worker has this long for a small bundle, on a busy machine. */
const READY_MS = 60_000;

export function connect(origin, apiKey) {
  const authorize = (next) => (request) => {
    request.header.set('authorization', `Bearer ${apiKey}`);
    return next(request);
  };
  const transport = createGrpcWebTransport({ baseUrl: origin, interceptors: [authorize] });
  return {
    apps: createClient(AppService, transport),
    channels: createClient(ChannelService, transport),
    releases: createClient(ReleaseService, transport),
    uploads: createClient(UploadService, transport),
  };
}

/** Answers what `look` answers as soon as that is something. */
export async function eventually(what, look, deadlineMs = 15_000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    }
    await wait(100);
  }
}

/** Packs a folder, the same bytes each time. */
function pack(folder) {
  const plain = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  return execFileSync('tar', [...plain, '-C', folder, '-czf', '-', '.'], { maxBuffer: 256 * 1024 * 1024 });
}

/** Uploads a folder of the corpus; answers the bundle's name once it can be released. */
export async function upload(server, app, corpus, folder, platform) {
  const bytes = pack(path.join(corpus, folder));
  const created = await server.uploads.createUpload({
    parent: `apps/${app}`,
    platform,
    archiveFormat: ArchiveFormat.TAR_GZIP,
    archiveSizeBytes: BigInt(bytes.length),
    archiveSha256: createHash('sha256').update(bytes).digest(),
  });
  const { name } = created.upload;
  let offset = Number(created.upload.receivedBytes);
  while (created.upload.state === UploadState.RECEIVING && offset < bytes.length) {
    const data = bytes.subarray(offset, offset + PIECE_BYTES);
    await server.uploads.uploadChunk({ name, offset: BigInt(offset), data });
    offset += data.length;
  }
  return eventually(`${folder} becomes ready`, async () => {
    const { upload: now } = await server.uploads.getUpload({ name });
    if (now.state === UploadState.FAILED) {
      throw new Error(`${folder} was refused: ${now.failure?.reason} ${now.failure?.message}`);
    }
    return now.state === UploadState.READY ? now.bundle : undefined;
  }, READY_MS);
}
