// What a person may type next about something that runs, with its id in it.

/** Commands for a move. @param id its workflow id: short, and it means the newest move */
export function nextOfMove(id: string): string[] {
  return [`  watch it with: volume-mover watch ${id}`, `  cancel it with: volume-mover cancel ${id}`];
}

/** Commands for a verification. */
export function nextOfVerification(id: string): string[] {
  return [
    `  see it with: volume-mover verification status ${id}`,
    `  cancel it with: volume-mover verification cancel ${id}`,
  ];
}
