// This file's job is to start an app with react-native-code-push again and again, over simulated native code.
import { buildSync } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { Script, createContext } from 'node:vm';
import { download } from './package.js';

const local = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The plug-in's own JavaScript, as an app's bundle has it. */
const program = new Script(
  buildSync({
    stdin: { contents: 'module.exports = require("react-native-code-push");', resolveDir: local('..') },
    alias: { 'react-native': local('./react_native.cjs') },
    bundle: true,
    loader: { '.js': 'jsx' },
    format: 'cjs',
    platform: 'node',
    write: false,
    logLevel: 'error',
  }).outputFiles[0].text,
);

/** One phone; what is in its fields outlives the app's process. */
export class AppPhone {
  current = null;
  previous = null;
  /** The hash of an update that has not said yet that it works, and whether it was started. */
  pending = null;
  failed = [];
  reported = null;
  rollback = null;
  rollbackInfo = null;
  retry = null;
  /** How each download came. */
  downloads = [];

  constructor({ serverUrl, deploymentKey, appVersion = '1.2.0', publicKey }) {
    this.config = { serverUrl, deploymentKey, appVersion, clientUniqueId: 'plug-in-phone' };
    this.publicKey = publicKey;
  }

  /** Starts the process: native code first, which gives up an update that did not say that it works; then JavaScript. */
  launch() {
    if (this.pending?.started) {
      this.failed.push(this.current.metadata.packageHash);
      this.rollback = this.current.metadata;
      [this.current, this.previous, this.pending] = [this.previous, null, null];
    }
    this.isFirstRun = this.pending !== null;
    if (this.pending) {
      this.pending.started = true;
    }
    const phone = { module: this.#module(), appState: { addEventListener: () => ({ remove() {} }) } };
    const context = createContext({
      phone, fetch, console: { log() {} }, setTimeout, clearTimeout, process, module: { exports: {} }, require: undefined,
    });
    program.runInContext(context);
    return context.module.exports;
  }

  /** What runs: `{ files, metadata }`, or null for the binary's own files. */
  get running() {
    return this.current;
  }

  #module() {
    const phone = this;
    const version = (entry) => (entry ? `${entry.metadata.deploymentKey}:${entry.metadata.label}` : phone.config.appVersion);
    return {
      codePushInstallModeImmediate: 0,
      codePushInstallModeOnNextRestart: 1,
      codePushInstallModeOnNextResume: 2,
      codePushInstallModeOnNextSuspend: 3,
      codePushUpdateStateRunning: 0,
      codePushUpdateStatePending: 1,
      codePushUpdateStateLatest: 2,
      getConfiguration: async () => ({ ...phone.config }),
      async downloadUpdate(metadata) {
        const { files, how } = await download(metadata, phone.current?.files, phone.publicKey);
        phone.downloads.push(how);
        phone.downloaded = { files, metadata };
        return metadata;
      },
      async installUpdate(metadata) {
        phone.previous = phone.current;
        phone.current = { ...phone.downloaded, metadata };
        phone.pending = { started: false };
      },
      async notifyApplicationReady() {
        phone.pending = phone.pending?.started ? null : phone.pending;
      },
      async getNewStatusReport() {
        if (phone.rollback) {
          const failed = phone.rollback;
          phone.rollback = null;
          return { package: failed, status: 'DeploymentFailed' };
        }
        const now = version(phone.current);
        const last = phone.reported;
        if (last !== now && !phone.pending) {
          const [key, label] = last?.includes(':') ? last.split(':') : [undefined, last ?? undefined];
          const previous = { previousLabelOrAppVersion: label, previousDeploymentKey: key };
          const what = phone.current
            ? { package: phone.current.metadata, status: 'DeploymentSucceeded' }
            : { appVersion: phone.config.appVersion };
          return { ...what, ...previous };
        }
        return phone.retry;
      },
      recordStatusReported(report) {
        if (report.status !== 'DeploymentFailed') {
          phone.reported = version(report.package ? { metadata: report.package } : null);
        }
        phone.statuses = [...(phone.statuses ?? []), report.status ?? report.appVersion];
      },
      saveStatusReportForRetry(report) {
        phone.retry = report;
      },
      async getUpdateMetadata(state) {
        const isPending = phone.pending !== null && !phone.pending.started;
        const entry = state === 0 && isPending ? phone.previous : phone.current;
        return entry && (state !== 1 || isPending) ? { ...entry.metadata, isPending: state !== 0 && isPending } : null;
      },
      isFailedUpdate: async (hash) => phone.failed.includes(hash),
      isFirstRun: async (hash) => phone.isFirstRun && phone.current?.metadata.packageHash === hash,
      getLatestRollbackInfo: async () => phone.rollbackInfo,
      async setLatestRollbackInfo(hash) {
        phone.rollbackInfo = { packageHash: hash, time: Date.now(), count: 1 };
      },
      clearPendingRestart() {},
      restartApp() {
        phone.wantsRestart = true;
      },
      allow() {},
      disallow() {},
      clearUpdates() {},
    };
  }
}
