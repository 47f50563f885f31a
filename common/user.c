#include "user.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "die.h"

char *
user_name(uid_t uid)
{
	FILE *in = fopen("/etc/passwd", "re");
	struct passwd *user = NULL;
	char *name;

	while (in != NULL && (user = fgetpwent(in)) != NULL &&
		user->pw_uid != uid)
		;
	int length = user == NULL ? asprintf(&name, "%u", uid)
				  : asprintf(&name, "%s", user->pw_name);
	if (length == -1)
		die("malloc");
	if (in != NULL)
		fclose(in);
	return name;
}
