// This file's job is to say how the dashboard is built and tested.
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** The page holds an API key: nothing but its own files may run. It may call other servers, since one signs in to any address. */
const CONTENT_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' https: http:; base-uri 'none'; form-action 'none'";

/** Only in what is built: the development server injects scripts of its own. */
const contentPolicy: Plugin = {
  name: 'content-policy',
  apply: 'build',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: CONTENT_POLICY }, injectTo: 'head-prepend' },
  ],
};

export default defineConfig({
  plugins: [react(), contentPolicy],
  build: {
    target: 'es2023',
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node', testTimeout: 30_000 },
});
