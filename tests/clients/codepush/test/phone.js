// This file's job is to be a phone whose app asks with one generation of CodePush's acquisition SDK.
import { createRequire } from 'node:module';
import { download } from './package.js';

const require = createRequire(import.meta.url);

/** The generations of the acquisition SDK. The first one speaks camel case. */
export const GENERATIONS = ['code-push-2', 'code-push-3', 'code-push-4'];
const VERBS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'CONNECT', 'PATCH'];

/** As react-native-code-push's own requester: the body is optional. */
function request(verb, url, body, callback = body) {
  const method = VERBS[verb];
  const headers = {
    Accept: 'application/json',
    'Content-Type': 'application/json',
    'X-CodePush-Plugin-Name': 'react-native-code-push',
    'X-CodePush-Plugin-Version': '8.3.0',
    // What those plug-ins really send.
    'X-CodePush-SDK-Version': '^4.1.0',
  };
  fetch(url, { method, headers, body: method === 'POST' ? body : undefined }).then(
    async (response) => callback(null, { statusCode: response.status, body: await response.text() }),
    (error) => callback(error),
  );
}

/** One phone with one app. */
export class Phone {
  /** What the phone has installed: `{ files, remote }`; null for the binary's own files. */
  installed = null;

  constructor(generation, { serverUrl, deploymentKey, appVersion = '1.2.0', clientUniqueId = 'node-phone' }) {
    const { AcquisitionManager } = require(`${generation}/script/acquisition-sdk`);
    this.appVersion = appVersion;
    this.sdk = new AcquisitionManager({ request }, { serverUrl, deploymentKey, appVersion, clientUniqueId });
  }

  #call(method, ...words) {
    return new Promise((resolve, reject) => {
      this.sdk[method](...words, (error, result) => (error ? reject(error) : resolve(result)));
    });
  }

  check() {
    return this.#call('queryUpdateWithCurrentPackage', this.installed?.remote ?? { appVersion: this.appVersion });
  }

  /** Downloads and installs a package. Answers how: `full` or `diff`. */
  async install(remote) {
    const { files, how } = await download(remote, this.installed?.files);
    // Native code compares these at the next start, and throws the package away when they differ.
    if (remote.appVersion !== this.appVersion) {
      throw new Error(`the package is for ${remote.appVersion}`);
    }
    await this.#call('reportStatusDownload', remote);
    this.installed = { files, remote };
    return how;
  }

  /** Reports a start of the binary's own files, or what became of a package. */
  report(status, previous = {}) {
    const has = status ? this.installed.remote : null;
    return this.#call('reportStatusDeploy', has, status, previous.label, previous.deploymentKey);
  }
}
