// This file's job is to say which screen an address shows.
import { Outlet, createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { Notice } from './parts/Notice.js';
import { Empty, Screen } from './parts/Screen.js';
import { AppScreen } from './screens/AppScreen.js';
import { AppsScreen } from './screens/AppsScreen.js';
import { ChannelScreen } from './screens/ChannelScreen.js';
import { SignInScreen } from './screens/SignInScreen.js';
import { SignedIn } from './screens/SignedIn.js';
import { appSearch, channelSearch, parseSearch, signInSearch, writeSearch } from './search.js';

const root = createRootRoute({
  component: () => (
    <SignedIn>
      <Outlet />
    </SignedIn>
  ),
  notFoundComponent: () => (
    <Screen title="No such page">
      <Empty title="There is nothing at this address.">
        <p>Choose an app from the list of all apps, at the top left.</p>
      </Empty>
    </Screen>
  ),
  errorComponent: ({ error, reset }) => (
    <Screen title="The dashboard failed">
      <Notice error={error} onRetry={reset} />
    </Screen>
  ),
});

const signIn = createRoute({ getParentRoute: () => root, path: '/sign-in', validateSearch: signInSearch, component: SignInScreen });
const apps = createRoute({ getParentRoute: () => root, path: '/', component: AppsScreen });
const app = createRoute({ getParentRoute: () => root, path: '/apps/$app', validateSearch: appSearch, component: AppScreen });
const channel = createRoute({
  getParentRoute: () => root,
  path: '/apps/$app/channels/$channel',
  validateSearch: channelSearch,
  component: ChannelScreen,
});

export const router = createRouter({
  routeTree: root.addChildren([signIn, apps, app, channel]),
  parseSearch,
  stringifySearch: writeSearch,
  defaultPreload: false,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
