import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import type { roles } from '../../src/ground/people-registry.js';
import { eventually } from '../../src/testing/waiting.js';
import { DrivingRobot, GroundWorld } from '../ground/ground-world.js';
import { pageSuite } from './page-suite.js';
import type { PageWorld } from './page-support.js';
import {
  buildGroundPages,
  desktop,
  phone,
  screenshot,
  seriousFindings,
  waitForText,
} from './page-support.js';

describe('the page for admins', function () {
  this.timeout(60_000);
  let pages: PageWorld;
  let world: GroundWorld;
  let url: string;

  beforeEach(async () => {
    world = await GroundWorld.start();
    url = `http://127.0.0.1:${world.port}/`;
  });
  afterEach(() => world[Symbol.asyncDispose]());
  pageSuite((started) => (pages = started), buildGroundPages);

  /** Opens a page as somebody with a role. */
  async function openAs(role: (typeof roles)[number], options: Parameters<PageWorld['open']>[1] = desktop) {
    const token = await world.people.add(`the_${role}`, role);
    await world.kill();
    world.isLoopback = false;
    await world.startServer();
    const page = await pages.open(url, options);
    await page.locator('[name=token]').fill(token);
    await page.keyboard.press('Enter');
    await page.locator('nav.pages a', { hasText: 'Audit' }).waitFor();
    await waitForText(page, '.pulse', /Live/);
    return page;
  }

  /** The token that the page shows, which it shows no more when the dialog is closed. */
  async function takeToken(page: Page, name: string): Promise<string> {
    const dialog = page.getByRole('dialog', { name: `The token of ${name}` });
    const token = await dialog.getByLabel('Token', { exact: true }).inputValue();
    await dialog.getByRole('button', { name: 'Close' }).click();
    assert.equal(await page.getByRole('dialog').count(), 0);
    assert.ok(!(await page.content()).includes(token));
    return token;
  }

  const line = (page: Page, name: string) => page.locator(`.access-line[data-holder="${name}"]`);
  const audited = async (): Promise<unknown[]> =>
    (await world.audit.list(20)).map(({ who, command, robot, label, state }) => [
      ...[who, command, robot || label, state],
    ]);

  it('enrols a robot, shows its token once, replaces it, and revokes it', async () => {
    const page = await openAs('admin');
    await page.locator('nav.pages a', { hasText: 'Admin' }).click();
    await waitForText(page, '.panel-enrolled', /No robot may connect yet/);
    await page.locator('[name=new-robot]').fill('robot 7');
    await page.keyboard.press('Enter');
    await waitForText(page, '.panel-enrolled .fault[role=alert]', /Refused: "robot 7" is no name of a robot/);
    await page.locator('[name=new-robot]').fill('robot_7');
    await page.keyboard.press('Enter');
    await waitForText(page, '.dialog', /It is shown once/);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-token-desktop', false);
    const token = await takeToken(page, 'robot_7');
    await waitForText(page, '[data-holder=robot_7]', /has not connected yet/);
    await using _robot = new DrivingRobot('robot_7', world.url, token);
    await waitForText(page, '[data-holder=robot_7] .access-who p', /^connected$/);
    await page.locator('[name=new-robot]').fill('robot_7');
    await page.keyboard.press('Enter');
    await waitForText(page, '.panel-enrolled .fault', /robot_7 is there already/);
    assert.equal(await world.registry.admit(token), 'robot_7', 'its token is still valid');
    await line(page, 'robot_7').getByRole('button', { name: 'New token' }).click();
    await page.getByRole('dialog', { name: 'robot_7: Replace the token?' }).getByText('New token').click();
    const second = await takeToken(page, 'robot_7');
    assert.equal(await world.registry.admit(token), undefined);
    assert.equal(await world.registry.admit(second), 'robot_7');
    await line(page, 'robot_7').getByRole('button', { name: 'Revoke' }).click();
    const dialog = page.getByRole('dialog', { name: 'robot_7: Revoke its token?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    assert.equal(await world.registry.admit(second), 'robot_7', 'nothing before the confirmation');
    await line(page, 'robot_7').getByRole('button', { name: 'Revoke' }).click();
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await waitForText(page, '.panel-enrolled', /No robot may connect yet/);
    assert.equal(await world.registry.admit(second), undefined);
    assert.deepEqual(await audited(), [
      ['the_admin', 'revoke', 'robot_7', 'done'],
      ['the_admin', 'enrol', 'robot_7', 'done'],
      ['the_admin', 'enrol', 'robot_7', 'done'],
      ['the_admin', 'enrol', 'robot 7', 'refused'],
    ]);
  });

  it('adds a user, gives one another role, and revokes one', async () => {
    const page = await openAs('admin');
    await page.locator('nav.pages a', { hasText: 'Admin' }).click();
    await waitForText(page, '[data-holder=the_admin]', /admin, you/);
    await page.locator('[name=new-user]').fill('bert');
    await page.locator('.panel-people [name=role]').selectOption('viewer');
    await page.locator('.panel-people').getByRole('button', { name: 'Add' }).click();
    const first = await takeToken(page, 'bert');
    assert.equal((await world.people.admit(first))?.role, 'viewer');
    await line(page, 'bert').getByRole('button', { name: 'Change' }).click();
    const change = page.getByRole('dialog', { name: 'bert: New token and role' });
    await change.getByLabel('Role').selectOption('operator');
    await change.getByRole('button', { name: 'New token' }).click();
    const second = await takeToken(page, 'bert');
    assert.equal(await world.people.admit(first), undefined);
    assert.equal((await world.people.admit(second))?.role, 'operator');
    await line(page, 'the_admin').getByRole('button', { name: 'Revoke' }).click();
    await waitForText(page, '.dialog', /the token of this page.*no other admin/);
    await page.keyboard.press('Escape');
    await line(page, 'bert').getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await eventually(async () => (await line(page, 'bert').count()) === 0, 'bert has gone');
    assert.equal(await world.people.admit(second), undefined);
    assert.deepEqual(await audited(), [
      ['the_admin', 'revoke_user', 'bert', 'done'],
      ['the_admin', 'add_user', 'bert as operator', 'done'],
      ['the_admin', 'add_user', 'bert as viewer', 'done'],
    ]);
    await page.locator('nav.pages a', { hasText: 'Audit' }).click();
    await waitForText(page, '.audit-grid tbody', /the_admin.*ground.*revoke user.*bert.*done/s);
    assert.deepEqual(await seriousFindings(page), []);
  });

  for (const role of ['viewer', 'operator'] as const) {
    it(`shows nothing of robots and users to a role such as ${role}`, async () => {
      const page = await openAs(role);
      assert.equal(await page.locator('nav.pages a', { hasText: 'Admin' }).count(), 0);
      const asked: string[] = [];
      page.on('request', (request) => asked.push(new URL(request.url()).pathname));
      await page.evaluate("location.hash = '#/admin'");
      await waitForText(page, '.panel-admin', /Only an admin may manage robots and users/);
      assert.ok(!asked.some((path) => /people|enrolled/.test(path)), asked.join(' '));
    });
  }

  it('keeps the token of the first user on the screen, although the ground then needs tokens', async () => {
    const page = await pages.open(`${url}#/admin`);
    await waitForText(page, '.access-note', /Nobody needs a token yet/);
    await page.locator('[name=new-user]').fill('anna');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'The token of anna' }).waitFor();
    await waitForText(page, '.gate', /Token needed/);
    const token = await takeToken(page, 'anna');
    assert.equal((await world.people.admit(token))?.role, 'admin');
    await page.locator('[name=token]').fill(token);
    await page.keyboard.press('Enter');
    await waitForText(page, '[data-holder=anna]', /admin, you/);
  });

  it('fits a desktop and a phone', async () => {
    for (let i = 1; i <= 12; i++) await world.registry.enrol(`robot_${i}`);
    await using _robot = new DrivingRobot('robot_7', world.url, await world.registry.enrol('robot_7'));
    await world.people.add('bert', 'operator');
    await world.people.add('vera_with_a_name_of_exactly_sixty_four_characters_in_one_word_64', 'viewer');
    const page = await openAs('admin');
    await page.locator('nav.pages a', { hasText: 'Admin' }).click();
    await waitForText(page, '[data-holder=robot_7] .access-who p', /^connected$/);
    await page.locator('[name=find-robot]').fill('_1');
    await waitForText(page, '.access-find', /4 of 12 robots/);
    await page.locator('[name=find-robot]').fill('');
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-admin-desktop', false);
    await page.setViewportSize(phone.viewport);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= phone.viewport.width, `${width} px wide`);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-admin-phone');
  });
});
