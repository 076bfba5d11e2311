// Opens HTML reports in Chromium and checks what only a browser can tell: layout, contrast, colour
// schemes, print, keyboard, and that the page asks nobody for anything.
//
//   node report.mjs [--shots FOLDER] REPORT.html...
//
// `tests/browser/run` installs what this needs into target/test-browser and calls it. CHROMIUM names
// the browser's program.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const installed = new URL('../../target/test-browser/package.json', import.meta.url);
const { chromium } = createRequire(installed)('playwright-core');

const WIDTHS_PX = [1280, 768, 390];
const SCHEMES = ['light', 'dark'];
// WCAG 2.1, 1.4.3 (AA, text of ordinary size).
const CONTRAST_MIN = 4.5;
// Below this, text in a plot is a texture.
const PLOT_TEXT_PX_MIN = 9;

const { files, shots } = readArguments(process.argv.slice(2));
const failures = [];
let checks = 0;

const profile = mkdtempSync(join(tmpdir(), 'gwtf-browser-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: program(),
  headless: true,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  for (const file of files) {
    for (const width of WIDTHS_PX) {
      for (const scheme of SCHEMES) await onScreen(file, width, scheme);
    }
    await schemesDiffer(file);
    await onPaper(file);
    await byKeyboard(file);
  }
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}

for (const failure of failures) console.log(`FAILED ${failure}`);
const counted = `${files.length} ${files.length === 1 ? 'report' : 'reports'}`;
console.log(`browser: ${checks} checks on ${counted}, ${failures.length} failed`);
process.exitCode = failures.length === 0 && checks > 0 ? 0 : 1;

async function onScreen(file, width, scheme) {
  const at = `${basename(dirname(file))}/${basename(file)} at ${width} px, ${scheme}`;
  const { page, said, asked } = await open(file, { width, scheme });
  const found = await page.evaluate(inspect, { CONTRAST_MIN, PLOT_TEXT_PX_MIN });
  check(`${at}: says nothing on the console`, said);
  check(`${at}: asks for nothing but itself`, asked.filter((url) => url !== pathToFileURL(file).href));
  for (const [what, faults] of Object.entries(found)) check(`${at}: ${what}`, faults);
  if (shots) {
    const name = `${basename(dirname(file))}-${width}-${scheme}.png`;
    await page.screenshot({ path: join(shots, name), fullPage: true });
  }
  await page.close();
}

async function schemesDiffer(file) {
  const backgrounds = [];
  for (const scheme of SCHEMES) {
    const { page } = await open(file, { width: 1280, scheme });
    backgrounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await page.close();
  }
  const same = backgrounds[0] === backgrounds[1] ? [`both are ${backgrounds[0]}`] : [];
  check(`${file}: light and dark differ`, same);
}

async function onPaper(file) {
  const { page } = await open(file, { width: 700, scheme: 'dark' });
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  const faults = await page.evaluate(() => {
    const faults = [];
    const background = getComputedStyle(document.body).backgroundColor;
    if (background !== 'rgb(255, 255, 255)') faults.push(`prints on ${background}`);
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) faults.push('is wider than the paper');
    for (const table of document.querySelectorAll('details.printed table')) {
      if (!table.checkVisibility()) faults.push('a table that paper should show stays folded');
    }
    for (const narrow of document.querySelectorAll('.plot .narrow')) {
      if (narrow.checkVisibility()) faults.push('prints the narrow drawing');
    }
    return faults;
  });
  check(`${file}: prints`, faults);
  const pdf = await page.pdf({ format: 'A4' });
  check(`${file}: becomes a PDF`, pdf.length > 1000 ? [] : [`${pdf.length} bytes`]);
  await page.close();
}

/** Every fold and every sideways-scrolling table can be reached and used without a mouse. */
async function byKeyboard(file) {
  const { page } = await open(file, { width: 390, scheme: 'light' });
  const folds = await page.locator('summary').count();
  const faults = [];
  const reached = new Set();
  for (let presses = 0; presses < 60 && reached.size < folds; presses += 1) {
    await page.keyboard.press('Tab');
    const index = await page.evaluate(() =>
      [...document.querySelectorAll('summary')].indexOf(document.activeElement));
    if (index < 0 || reached.has(index)) continue;
    reached.add(index);
    await page.keyboard.press('Enter');
    const open = await page.evaluate(() => document.activeElement.parentElement.open);
    if (!open) faults.push(`fold ${index} does not open`);
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(() => document.activeElement.matches('.scroll'));
    if (!inside) faults.push(`the table in fold ${index} cannot be scrolled by keyboard`);
  }
  if (reached.size < folds) faults.push(`${reached.size} of ${folds} folds can be reached`);
  const wider = await page.evaluate(() =>
    document.documentElement.scrollWidth > document.documentElement.clientWidth);
  if (wider) faults.push('the page is wider than the screen once the tables are open');
  check(`${file}: works by keyboard`, faults);
  await page.close();
}

async function open(file, { width, scheme }) {
  const page = await browser.newPage();
  const said = [];
  const asked = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('dialog', (dialog) => {
    said.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) asked.push(request.url());
  });
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme });
  await page.goto(pathToFileURL(file).href, { waitUntil: 'load' });
  return { page, said, asked };
}

/** Runs in the page: faults by what was looked at. */
function inspect({ CONTRAST_MIN, PLOT_TEXT_PX_MIN }) {
  const faults = {
    'is not wider than the screen': [],
    'has a language, a title and one first heading': [],
    'skips no heading level': [],
    'runs no script': [],
    'hides nothing behind a pointer': [],
    'names every plot for those who do not see it': [],
    'shows one drawing of each plot': [],
    'has legible text in plots': [],
    'has enough contrast': [],
    'uses an id once': [],
  };
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    faults['is not wider than the screen'].push(`${root.scrollWidth} of ${root.clientWidth}`);
  }
  const firsts = document.querySelectorAll('h1').length;
  if (root.lang !== 'en' || document.title === '' || firsts !== 1) {
    faults['has a language, a title and one first heading'].push(`${root.lang}, ${firsts} h1`);
  }
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) faults['skips no heading level'].push(heading.textContent);
    level = next;
  }
  for (const element of document.querySelectorAll('*')) {
    const handlers = [...element.attributes].filter(({ name }) => name.startsWith('on'));
    if (element.tagName === 'SCRIPT' || handlers.length > 0) {
      faults['runs no script'].push(element.outerHTML.slice(0, 80));
    }
    if (element.hasAttribute('title')) {
      faults['hides nothing behind a pointer'].push(element.outerHTML.slice(0, 80));
    }
  }
  for (const plot of document.querySelectorAll('.plot')) {
    const shown = [...plot.querySelectorAll('svg')].filter((svg) => svg.checkVisibility());
    if (shown.length !== 1) faults['shows one drawing of each plot'].push(`${shown.length} shown`);
    for (const svg of shown) {
      const named = svg.getAttribute('aria-labelledby').split(' ')
        .every((id) => document.getElementById(id)?.textContent.trim());
      if (svg.getAttribute('role') !== 'img' || !named) {
        faults['names every plot for those who do not see it'].push(svg.id);
      }
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      for (const text of svg.querySelectorAll('text')) {
        const px = parseFloat(getComputedStyle(text).fontSize) * scale;
        if (px < PLOT_TEXT_PX_MIN) {
          faults['has legible text in plots'].push(`${text.textContent.trim()} at ${px.toFixed(1)} px`);
        }
        const box = text.getBoundingClientRect();
        const frame = svg.getBoundingClientRect();
        if (box.left < frame.left - 1 || box.right > frame.right + 1) {
          faults['has legible text in plots'].push(`${text.textContent.trim()} is cut off`);
        }
      }
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  for (const id of new Set(ids)) {
    if (ids.filter((other) => other === id).length > 1) faults['uses an id once'].push(id);
  }
  const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = channels(color).slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const backdrop = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      const [, , , alpha = 1] = channels(color);
      if (alpha > 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.textContent.trim() === '' || !element.checkVisibility()) continue;
    if (['TITLE', 'DESC'].includes(element.tagName.toUpperCase())) continue;
    const style = getComputedStyle(element);
    const color = element.tagName === 'text' ? style.fill : style.color;
    const [lighter, darker] = [luminance(color), luminance(backdrop(element))].sort((a, b) => b - a);
    const contrast = (lighter + 0.05) / (darker + 0.05);
    if (!(contrast >= CONTRAST_MIN)) {
      const text = walker.currentNode.textContent.trim().slice(0, 40);
      faults['has enough contrast'].push(`"${text}" ${color}: ${contrast.toFixed(2)}`);
    }
  }
  return faults;
}

function check(what, faults) {
  checks += 1;
  if (faults.length > 0) failures.push(`${what}: ${faults.slice(0, 5).join('; ')}`);
}

function program() {
  const names = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = names.find((name) => name && existsSync(name));
  if (!found) throw new Error('no Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM');
  return found;
}

function readArguments(words) {
  const at = words.indexOf('--shots');
  const [, folder] = at < 0 ? [] : words.splice(at, 2);
  if (folder) mkdirSync(folder, { recursive: true });
  if (words.length === 0) throw new Error('usage: report.mjs [--shots FOLDER] REPORT.html...');
  return { files: words.map((word) => resolve(word)), shots: folder };
}
