// This file's job is to list the steps of the walk, in order; each builds on those before.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Platform, RolloutState } from '../src/gen/aloft/v1/types_pb.js';
import { checkScreen } from './checks.mjs';
import { eventually, upload } from './server.mjs';

const DEVICE = 'e2e-device-1';

const release = async ({ server, app }, channel, label) =>
  (await server.releases.getRelease({ name: `apps/${app}/channels/${channel}/releases/${label}` })).release;

const button = (place, name) => place.getByRole('button', { name });
const sheet = (page, label) => page.getByRole('dialog', { name: `Release ${label}` });
const open = async ({ page, origin, app }, rest = '') => page.goto(`${origin}/apps/${app}${rest}`);
const said = ({ page }, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

async function signIn({ page }, key) {
  if ((await page.getByLabel('API key').count()) === 0) {
    await button(page, 'Use an API key').click();
  }
  await page.getByLabel('API key').fill(key);
  await button(page, 'Sign in').click();
}

async function signInLandsWhereOneWasHeading(world) {
  const { page, origin, apiKey } = world;
  await page.goto(`${origin}/?x=1`);
  await page.getByRole('heading', { name: 'Sign in to Aloft' }).waitFor();
  await checkScreen(world, 'sign-in');
  await signIn(world, `${apiKey.slice(0, -6)}000000`);
  await page.getByRole('alert').filter({ hasText: 'You are not signed in' }).waitFor();
  await world.shot('sign-in-refused');
  await signIn(world, apiKey);
  await page.getByRole('heading', { name: 'Apps', exact: true }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/');
  assert.ok(!page.url().includes(apiKey));
}

async function anAppIsMade(world) {
  const { page, app, server } = world;
  await button(page, 'New app').click();
  const dialog = page.getByRole('dialog', { name: 'New app' });
  await dialog.getByLabel('Short name').fill(app);
  await dialog.getByLabel('Name for people').fill('Trailhead (end to end)');
  await checkScreen(world, 'new-app');
  await button(dialog, 'Create app').click();
  await page.getByRole('heading', { name: 'Trailhead (end to end)' }).waitFor();
  assert.equal((await server.apps.getApp({ name: `apps/${app}` })).app.displayName, 'Trailhead (end to end)');
}

async function aTakenNameIsRefusedWithItsReason(world) {
  const { page, app } = world;
  await page.getByRole('link', { name: 'Aloft: all apps' }).click();
  await page.getByRole('link', { name: 'Trailhead (end to end)' }).first().waitFor();
  await checkScreen(world, 'apps');
  await button(page, 'New app').click();
  const dialog = page.getByRole('dialog', { name: 'New app' });
  await dialog.getByLabel('Short name').fill(app);
  await button(dialog, 'Create app').click();
  await dialog.getByRole('alert').filter({ hasText: 'ALREADY_EXISTS' }).waitFor();
  await world.shot('new-app-taken');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
}

async function channelsAreMade(world) {
  const { page, app, server } = world;
  for (const name of ['production', 'staging']) {
    await open(world);
    await button(page, 'New channel').click();
    const dialog = page.getByRole('dialog', { name: 'New channel' });
    await dialog.getByLabel('Name').fill(name);
    await button(dialog, 'Create channel').click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
  }
  await page.getByText('No releases yet').waitFor();
  await world.shot('channel-empty');
  const { channels } = await server.channels.listChannels({ parent: `apps/${app}` });
  assert.deepEqual(channels.map((channel) => channel.channelName).sort(), ['production', 'staging']);
}

async function uploadsShowTheirState(world) {
  const { page, app, corpus, server } = world;
  world.bundles = {
    android1: await upload(server, app, corpus, 'v1/android/hermes', Platform.ANDROID),
    android2: await upload(server, app, corpus, 'v2/android/hermes', Platform.ANDROID),
    ios1: await upload(server, app, corpus, 'v1/ios/hermes', Platform.IOS),
  };
  await open(world, '?tab=uploads');
  await eventually('three uploads are ready', async () => (await page.getByRole('row').filter({ hasText: 'Ready' }).count()) === 3);
  const platforms = await page.locator('tbody td[data-label=Platform]').allInnerTexts();
  assert.deepEqual(platforms, ['iOS', 'Android', 'Android'], 'newest first');
  await checkScreen(world, 'uploads');
}

async function releasesAreListedNewestFirst(world) {
  const { page, app, server, bundles } = world;
  const parent = `apps/${app}/channels/production`;
  const target = { rule: { case: 'binaryRange', value: '^1.0.0' } };
  await server.releases.createRelease({ parent, target, bundle: bundles.android1, notes: 'First release: trails, maps and weather.' });
  await server.releases.createRelease({ parent, target, bundle: bundles.ios1, notes: 'First release: trails, maps and weather.' });
  await server.releases.createRelease({ parent, target, bundle: bundles.android2, sharePpm: 250_000, mandatory: true, notes: 'Fixes distances that were shown in miles\nwhere kilometres were meant.' });
  await open(world, '/channels/production');
  await page.getByRole('link', { name: 'v3: open' }).waitFor();
  const labels = await page.locator('tbody th').allInnerTexts();
  assert.deepEqual(labels.map((label) => label.trim()), ['v3', 'v2', 'v1']);
  await checkScreen(world, 'channel');
}

async function filtersLiveInTheAddress(world) {
  const { page } = world;
  await page.getByLabel('Platform').selectOption('ios');
  await eventually('the filter is in the address', () => page.url().includes('platform=ios'));
  await page.reload();
  await page.getByRole('link', { name: 'v2: open' }).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 1);
  await page.getByLabel('Platform').selectOption('');
}

async function anExactShareIsSet(world) {
  const { page } = world;
  await page.getByRole('link', { name: 'v3: open' }).click();
  const dialog = sheet(page, 'v3');
  await dialog.getByLabel('Share in %').fill('200');
  await dialog.getByText('A share cannot be more than 100%.').waitFor();
  await dialog.getByLabel('Share in %').fill('12.3456');
  await dialog.getByText('12.6544% of Android devices').waitFor();
  await checkScreen(world, 'release');
  await button(dialog, 'Lower to 12.3456%').click();
  await said(world, 'v3 now goes to 12.3456% of its devices.');
  assert.equal((await release(world, 'production', 'v3')).rollout.sharePpm, 123_456);
  await button(dialog, '50%').click();
  await button(dialog, 'Raise to 50%').click();
  await eventually('half get it', async () => (await release(world, 'production', 'v3')).rollout.sharePpm === 500_000);
}

async function aRolloutIsPausedAndGoesOn(world) {
  const dialog = sheet(world.page, 'v3');
  await button(dialog, 'Pause').click();
  await button(dialog, 'Resume').waitFor();
  assert.equal((await release(world, 'production', 'v3')).rollout.state, RolloutState.PAUSED);
  await world.shot('release-paused');
  await button(dialog, 'Resume').click();
  await button(dialog, 'Pause').waitFor();
  assert.equal((await release(world, 'production', 'v3')).rollout.state, RolloutState.ACTIVE);
}

async function aReleaseIsDisabledAfterAQuestion(world) {
  const { page } = world;
  await button(sheet(page, 'v3'), 'Disable…').click();
  const question = page.getByRole('dialog', { name: 'Disable v3?' });
  await question.getByText('offered to nobody any more').waitFor();
  await checkScreen(world, 'disable');
  await button(question, 'Cancel').click();
  assert.equal((await release(world, 'production', 'v3')).enabled, true);
  await button(sheet(page, 'v3'), 'Disable…').click();
  await button(question, 'Disable v3').click();
  await said(world, 'v3 is disabled.');
  assert.equal((await release(world, 'production', 'v3')).enabled, false);
  await button(sheet(page, 'v3'), 'Enable…').click();
  await button(page.getByRole('dialog', { name: 'Enable v3?' }), 'Enable v3').click();
  await eventually('v3 is enabled', async () => (await release(world, 'production', 'v3')).enabled);
}

async function aChangeOverSomebodyElsesIsRefused(world) {
  const { page, server } = world;
  const dialog = sheet(page, 'v3');
  await dialog.getByLabel('Share in %').fill('60');
  const { name } = await release(world, 'production', 'v3');
  await server.releases.setRollout({ name, sharePpm: 400_000 });
  await button(dialog, 'Raise to 60%').click();
  await dialog.getByRole('alert').filter({ hasText: 'ETAG_MISMATCH' }).waitFor();
  await world.shot('release-conflict');
  assert.equal((await release(world, 'production', 'v3')).rollout.sharePpm, 400_000);
}

async function escapeClosesAndTheFocusReturns(world) {
  const { page } = world;
  await page.keyboard.press('Escape');
  await sheet(page, 'v3').waitFor({ state: 'detached' });
  assert.ok(!page.url().includes('release='));
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'v3: open');
  await page.keyboard.press('Enter');
  await sheet(page, 'v3').waitFor();
  await page.keyboard.press('Escape');
}

async function aPinWinsAndExplainSaysSo(world) {
  const { page, app, server } = world;
  await page.getByRole('link', { name: 'Pins' }).click();
  await page.getByLabel('Device').fill(DEVICE);
  await page.getByLabel('Release').selectOption('v1');
  await button(page, 'Pin device').click();
  await page.getByRole('row').filter({ hasText: DEVICE }).waitFor();
  await checkScreen(world, 'pins');
  const { pins } = await server.channels.listDevicePins({ parent: `apps/${app}/channels/production` });
  assert.deepEqual(pins.map((pin) => pin.device), [DEVICE]);
  await page.getByRole('link', { name: 'Explain', exact: true }).click();
  await page.getByLabel('Device').fill(DEVICE);
  await page.getByLabel('Binary version').fill('1.2.0');
  await button(page, 'Explain').click();
  await page.getByRole('heading', { name: 'Update to v1' }).waitFor();
  await page.getByRole('cell', { name: 'Pinned' }).waitFor();
}

async function explainShowsEachStep(world) {
  const { page, origin, app } = world;
  await page.goto(`${origin}/apps/${app}/channels/production?tab=explain&device=somebody-else&platform=android&version=1.2.0`);
  await page.getByRole('heading', { name: /Update to v[13]/ }).waitFor();
  await checkScreen(world, 'explain');
  await page.goto(`${origin}/apps/${app}/channels/production?tab=explain&device=somebody-else&platform=android&version=9.0.0`);
  await page.getByText('No release is for its platform and binary.').waitFor();
  assert.equal(await page.getByRole('row').filter({ hasText: 'other binaries' }).count(), 2);
  await world.shot('explain-nothing');
}

async function aPinIsRemoved(world) {
  const { page, app, server } = world;
  await page.getByRole('link', { name: 'Pins' }).click();
  await button(page, `Remove the pin of ${DEVICE}`).click();
  await button(page.getByRole('dialog', { name: 'Remove the pin?' }), 'Remove pin').click();
  await page.getByText('No pins').waitFor();
  assert.deepEqual((await server.channels.listDevicePins({ parent: `apps/${app}/channels/production` })).pins, []);
}

async function aReleaseIsPromoted(world) {
  const { page } = world;
  await open(world, '/channels/production?release=v3');
  await button(sheet(page, 'v3'), 'Promote…').click();
  const dialog = page.getByRole('dialog', { name: 'Promote v3' });
  await dialog.getByLabel('To channel').selectOption('staging');
  await dialog.getByLabel('Share in %').fill('10');
  await checkScreen(world, 'promote');
  await button(dialog, 'Promote').click();
  await page.waitForURL('**/channels/staging?release=v1');
  await sheet(page, 'v1').getByText('Promoted').waitFor();
  const [there, here] = [await release(world, 'staging', 'v1'), await release(world, 'production', 'v3')];
  assert.deepEqual([there.rollout.sharePpm, there.originRelease.split('/').at(-1), there.bundle], [100_000, here.releaseId, here.bundle]);
}

async function aChannelIsRolledBack(world) {
  const { page } = world;
  await open(world, '/channels/production');
  await button(page, 'Roll back…').click();
  const dialog = page.getByRole('dialog', { name: 'Roll back production' });
  await dialog.getByLabel('Platform').selectOption('Android');
  await dialog.getByText('The server will make a new release with the content of v1').waitFor();
  await checkScreen(world, 'roll-back');
  await button(dialog, 'Roll back Android').click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'v4: open' }).waitFor();
  const [back, first] = [await release(world, 'production', 'v4'), await release(world, 'production', 'v1')];
  assert.deepEqual([back.bundle, back.originRelease.split('/').at(-1), back.rollout.sharePpm], [first.bundle, first.releaseId, 1_000_000]);
}

async function aRollbackThatCannotBeIsNotOffered(world) {
  const { page } = world;
  await button(page, 'Roll back…').click();
  const dialog = page.getByRole('dialog', { name: 'Roll back production' });
  await dialog.getByLabel('Platform').selectOption('iOS');
  await dialog.getByRole('alert').filter({ hasText: 'NO_EARLIER_RELEASE' }).waitFor();
  await world.shot('roll-back-refused');
  assert.ok(await button(dialog, 'Roll back iOS').isDisabled());
  await dialog.getByLabel('The bundle that came with the binary').check();
  await dialog.getByText('sends devices back to the bundle that came with their binary').waitFor();
  await button(dialog, 'Roll back iOS').click();
  await page.getByRole('link', { name: 'v5: open' }).waitFor();
  assert.equal((await release(world, 'production', 'v5')).bundle, '');
}

async function aChannelIsBlocked(world) {
  const { page, app, server } = world;
  const blocked = async () => (await server.channels.getChannel({ name: `apps/${app}/channels/production` })).channel.blocked;
  await button(page, 'Block…').click();
  await button(page.getByRole('dialog'), 'Block channel').click();
  await page.getByText('Blocked: offers nothing to anybody.').waitFor();
  assert.equal(await blocked(), true);
  await button(page, 'Unblock…').click();
  await button(page.getByRole('dialog'), 'Unblock channel').click();
  await eventually('the channel goes on', async () => !(await blocked()));
  await open(world);
  await page.getByRole('link', { name: 'production' }).waitFor();
  await page.getByText('everybody').first().waitFor();
  await checkScreen(world, 'app');
}

async function anUnknownNameSaysWhatToDo(world) {
  const { page } = world;
  await open(world, '/channels/nowhere');
  await page.getByRole('alert').filter({ hasText: 'NOT_FOUND' }).first().waitFor();
  await world.shot('unknown-channel');
}

async function aServerThatIsAwayIsTriedAgain(world) {
  const { page } = world;
  let refused = 0;
  await page.route('**/aloft.v1.*/**', (route) => {
    refused += 1;
    return refused > 3 ? route.continue() : route.abort('connectionrefused');
  });
  await open(world, '?tab=uploads');
  await page.getByRole('row').filter({ hasText: 'Ready' }).first().waitFor();
  assert.ok(refused > 3);
  await page.unroute('**/aloft.v1.*/**');
}

async function aServerThatStaysAwaySaysSo(world) {
  const { page } = world;
  await page.route('**/aloft.v1.*/**', (route) => route.abort('connectionrefused'));
  await open(world, '?tab=uploads');
  await page.getByRole('alert').filter({ hasText: 'The server cannot be reached' }).first().waitFor();
  await checkScreen(world, 'away');
  await page.unroute('**/aloft.v1.*/**');
  await button(page, 'Try again').first().click();
  await page.getByRole('row').filter({ hasText: 'Ready' }).first().waitFor();
}

async function aKeyThatNoLongerHoldsEndsTheSession(world) {
  const { page, apiKey } = world;
  await page.evaluate(() => {
    const session = JSON.parse(sessionStorage.getItem('aloft.session'));
    sessionStorage.setItem('aloft.session', JSON.stringify({ ...session, apiKey: `${session.apiKey.slice(0, -6)}000000` }));
  });
  await page.reload();
  await page.getByRole('alert').filter({ hasText: 'no longer accepts' }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem('aloft.session')), null);
  await signIn(world, apiKey);
  await page.waitForURL('**/apps/*?tab=uploads');
}

async function signingOutForgetsTheKey(world) {
  const { page } = world;
  await button(page, 'Sign out').click();
  await page.getByRole('heading', { name: 'Sign in to Aloft' }).waitFor();
  assert.equal(await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }).includes('cp_')), false);
}

const PASSWORD = 'correct horse battery';
const OWNER = 'owner@localhost';

/** The newest mail to an address, from the folder that the platform writes mails into. */
async function mailLink({ mails }, address, page) {
  return eventually(`a mail to ${address}`, async () => {
    const names = fs.existsSync(mails) ? fs.readdirSync(mails).sort().reverse() : [];
    for (const name of names) {
      const text = fs.readFileSync(`${mails}/${name}`, 'utf8').replaceAll('=\r\n', '').replaceAll('=3D', '=');
      const link = text.includes(`To: ${address}`) && new RegExp(`http\\S+/${page}#token=\\S+`).exec(text)?.[0];
      if (link) {
        return link;
      }
    }
    return undefined;
  });
}

async function signInAsPerson({ page }, email) {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await button(page, 'Sign in').click();
  await page.getByRole('heading', { name: 'Apps', exact: true }).waitFor();
}

async function theFirstOwnerSetsAPassword(world) {
  const { page, origin } = world;
  const link = await mailLink(world, OWNER, 'reset-password');
  await page.goto(link);
  await page.getByLabel('New password').fill(PASSWORD);
  assert.ok(!page.url().includes('token'), 'the token does not stay in the address');
  await checkScreen(world, 'reset-password');
  await button(page, 'Set the password').click();
  await page.getByRole('link', { name: 'Sign in' }).click();
  await signInAsPerson(world, OWNER);
  assert.equal(new URL(page.url()).origin, origin);
  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage, cookies: document.cookie }));
  assert.ok(!kept.includes('as_'), 'no script can read the session');
}

async function somebodyIsInvitedAndComes(world) {
  const { page, origin } = world;
  await page.getByRole('link', { name: 'Members' }).click();
  await page.getByRole('heading', { name: 'Members', exact: true }).waitFor();
  await button(page, 'Invite…').click();
  const dialog = page.getByRole('dialog', { name: 'Invite somebody' });
  await dialog.getByLabel('E-mail').fill('kim@example.com');
  await dialog.getByLabel('Role').selectOption('viewer');
  await button(dialog, 'Send the invitation').click();
  await page.getByText('kim@example.com · viewer').waitFor();
  await checkScreen(world, 'members');
  const link = await mailLink(world, 'kim@example.com', 'invitation');
  await button(page, 'Sign out').click();
  await page.getByRole('heading', { name: 'Sign in to Aloft' }).waitFor();
  await page.goto(link);
  await page.getByLabel('Your name').fill('Kim');
  await page.getByLabel('New password').fill(PASSWORD);
  await button(page, 'Make the account').click();
  await page.getByRole('heading', { name: 'Apps', exact: true }).waitFor();
  await page.goto(`${origin}/members`);
  await page.getByRole('heading', { name: 'Kim' }).waitFor();
  assert.equal(await button(page, 'Invite…').count(), 0, 'a viewer invites nobody');
}

async function sessionsAreShown(world) {
  const { page } = world;
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByText('This browser').waitFor();
  await checkScreen(world, 'account');
  await button(page, 'Sign out').click();
  await page.getByRole('heading', { name: 'Sign in to Aloft' }).waitFor();
}

export const steps = [
  ['sign-in refuses a bad key and takes a good one', signInLandsWhereOneWasHeading],
  ['an app is made', anAppIsMade],
  ['a taken name is refused with its reason', aTakenNameIsRefusedWithItsReason],
  ['channels are made', channelsAreMade],
  ['uploads show their state', uploadsShowTheirState],
  ['releases are listed newest first', releasesAreListedNewestFirst],
  ['filters live in the address', filtersLiveInTheAddress],
  ['an exact share is set', anExactShareIsSet],
  ['a rollout is paused and goes on', aRolloutIsPausedAndGoesOn],
  ['a release is disabled after a question', aReleaseIsDisabledAfterAQuestion],
  ['a change over somebody else’s is refused', aChangeOverSomebodyElsesIsRefused],
  ['Escape closes and the focus returns', escapeClosesAndTheFocusReturns],
  ['a pin wins, and Explain says so', aPinWinsAndExplainSaysSo],
  ['Explain shows each step', explainShowsEachStep],
  ['a pin is removed', aPinIsRemoved],
  ['a release is promoted', aReleaseIsPromoted],
  ['a channel is rolled back', aChannelIsRolledBack],
  ['a rollback that cannot be is not offered', aRollbackThatCannotBeIsNotOffered],
  ['a channel is blocked and goes on', aChannelIsBlocked],
  ['an unknown name says what to do', anUnknownNameSaysWhatToDo],
  ['a server that is away is tried again', aServerThatIsAwayIsTriedAgain],
  ['a server that stays away says so', aServerThatStaysAwaySaysSo],
  ['a key that no longer holds ends the session', aKeyThatNoLongerHoldsEndsTheSession],
  ['signing out forgets the key', signingOutForgetsTheKey],
  ['the first owner sets a password', theFirstOwnerSetsAPassword],
  ['somebody is invited and comes', somebodyIsInvitedAndComes],
  ['sessions are shown', sessionsAreShown],
];
