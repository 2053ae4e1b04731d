// Runs npm's update server hot-updater as its guide shows, on PostgreSQL and behind Express, with one release: PORT URL.
// Run from the folder with its node_modules, over standard input.
import { createHotUpdater } from '@hot-updater/server';
import { kyselyAdapter } from '@hot-updater/server/adapters/kysely';
import { toNodeHandler } from '@hot-updater/server/node';
import express from 'express';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';

const [port, connectionString] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 10 });
const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
const database = kyselyAdapter({ db, provider: 'postgresql' });
const { execute } = await database.createMigrator().migrateToLatest({ mode: 'from-schema', updateSettings: true });
await execute();

const hotUpdater = createHotUpdater({ database, basePath: '/hot-updater' });
await hotUpdater.insertBundle({
  id: '0195a408-8f13-7d9b-8df4-123456789abc',
  platform: 'android',
  channel: 'production',
  targetAppVersion: '1.x',
  shouldForceUpdate: false,
  enabled: true,
  fileHash: '9'.repeat(64),
  storageUri: 'https://updates.example.com/bundle.zip',
  fingerprintHash: null,
  gitCommitHash: null,
  message: 'v1',
});

const app = express();
app.use(express.json());
app.all('/hot-updater/*path', toNodeHandler(hotUpdater));
app.listen(Number(port), '127.0.0.1');
