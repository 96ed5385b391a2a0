// How large a group may be.

/** Members of a group. One cut round asks for all of them at once. */
export const GROUP_MEMBERS_MAX = 1_024;
