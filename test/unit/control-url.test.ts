// The URL by which the processes of an estate reach each other.
import { expect, test } from 'vitest';
import { controlUrl } from '../../contracts/estate.js';

test('it is the address that the server listens on, and an IPv6 address stands in brackets', () => {
  expect(controlUrl({ host: '127.0.0.1', port: 7001 })).toBe('http://127.0.0.1:7001');
  expect(controlUrl({ host: 'site.test', port: 7001, tls: true })).toBe('https://site.test:7001');
  expect(controlUrl({ host: '::1', port: 7001 })).toBe('http://[::1]:7001');
});

test('it is the given one where the server is reached by another route', () => {
  expect(controlUrl({ host: '0.0.0.0', port: 7001, url: 'https://site.test' })).toBe('https://site.test');
});
