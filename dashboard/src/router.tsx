// This file's job is to say which screen an address shows.
import { createRootRouteWithContext, createRoute, createRouter, redirect } from '@tanstack/react-router';
import { Notice } from './parts/Notice.js';
import { Empty, Screen } from './parts/Screen.js';
import { AppScreen } from './screens/AppScreen.js';
import { AppsScreen } from './screens/AppsScreen.js';
import { ChannelScreen } from './screens/ChannelScreen.js';
import { AccountScreen } from './screens/AccountScreen.js';
import { InvitationScreen, ResetPasswordScreen, SignUpScreen } from './screens/LinkScreen.js';
import { LoginScreen } from './screens/LoginScreen.js';
import { MembersScreen } from './screens/MembersScreen.js';
import { SignInScreen } from './screens/SignInScreen.js';
import { SignedIn } from './screens/SignedIn.js';
import type { SessionStore } from './session.js';
import { appSearch, channelSearch, loginSearch, parseSearch, signInSearch, writeSearch } from './search.js';

/** What routes may ask before a screen is shown. */
interface RouterContext {
  sessions: SessionStore;
}

const root = createRootRouteWithContext<RouterContext>()({
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
const resetPassword = createRoute({ getParentRoute: () => root, path: '/reset-password', component: ResetPasswordScreen });
const signUp = createRoute({ getParentRoute: () => root, path: '/sign-up', component: SignUpScreen });
const invitation = createRoute({ getParentRoute: () => root, path: '/invitation', component: InvitationScreen });
const signedIn = createRoute({
  getParentRoute: () => root,
  id: 'signed-in',
  component: SignedIn,
  beforeLoad: ({ context, location }) => {
    if (!context.sessions.current()) {
      throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { next: location.href }, replace: true });
    }
  },
});
const apps = createRoute({ getParentRoute: () => signedIn, path: '/', component: AppsScreen });
const members = createRoute({ getParentRoute: () => signedIn, path: '/members', component: MembersScreen });
const account = createRoute({ getParentRoute: () => signedIn, path: '/account', component: AccountScreen });
const login = createRoute({ getParentRoute: () => signedIn, path: '/login', validateSearch: loginSearch, component: LoginScreen });
const app = createRoute({ getParentRoute: () => signedIn, path: '/apps/$app', validateSearch: appSearch, component: AppScreen });
const channel = createRoute({
  getParentRoute: () => signedIn,
  path: '/apps/$app/channels/$channel',
  validateSearch: channelSearch,
  component: ChannelScreen,
});

export function makeRouter(sessions: SessionStore) {
  return createRouter({
    routeTree: root.addChildren([signIn, resetPassword, signUp, invitation, signedIn.addChildren([apps, members, account, login, app, channel])]),
    context: { sessions },
    parseSearch,
    stringifySearch: writeSearch,
    defaultPreload: false,
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
