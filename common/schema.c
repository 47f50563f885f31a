#include "schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Short names, for the tables. */
enum {
	OBJECT = JSONFILE_OBJECT,
	STRING = JSONFILE_STRING,
	PATH = JSONFILE_PATH,
	VARIABLE = JSONFILE_VARIABLE,
	BOOLEAN = JSONFILE_BOOLEAN,
	UINT16 = JSONFILE_UINT16,
	INT32 = JSONFILE_INT32,
	UINT32 = JSONFILE_UINT32,
	ID = JSONFILE_ID,
	INT64 = JSONFILE_INT64,
	UINT64 = JSONFILE_UINT64,
	ARRAY = JSONFILE_ARRAY,
	MAP = JSONFILE_MAP,
	REQUIRED = JSONFILE_REQUIRED,
	UNAPPLIED = SCHEMA_UNAPPLIED,
	UNSUPPORTED = SCHEMA_UNSUPPORTED
};

/* What stands in each element of several arrays. */
/* clang-format off */
#define MAPPING(holder) \
	{holder, "containerID", ID, REQUIRED}, \
	{holder, "hostID", ID, REQUIRED}, \
	{holder, "size", UINT32, REQUIRED}
#define HOOK(holder) \
	{holder, "path", PATH, REQUIRED}, \
	{holder, "args", ARRAY | STRING, 0}, \
	{holder, "env", ARRAY | VARIABLE, 0}, \
	{holder, "timeout", INT32, 0}
#define THROTTLE(holder) \
	{holder, "major", INT64, REQUIRED}, \
	{holder, "minor", INT64, REQUIRED}, \
	{holder, "rate", UINT64, REQUIRED}
/* clang-format on */

/* To use one more property, take its UNSUPPORTED away here and read it, by its
 * place, in bundle.c, process.c or resources.c. These need not look at its type
 * any more. */
const struct jsonfile_field schema_config[] = {
	{"", "ociVersion", STRING, REQUIRED},
	{"", "process", OBJECT, REQUIRED},
	{"", "root", OBJECT, REQUIRED},
	{"", "hostname", STRING, 0},
	{"", "domainname", STRING, UNAPPLIED},
	{"", "mounts", ARRAY | OBJECT, 0},
	{"", "hooks", OBJECT, UNAPPLIED},
	{"", "annotations", MAP | STRING, 0},
	{"", "linux", OBJECT, 0},

	{"root", "path", STRING, REQUIRED},
	{"root", "readonly", BOOLEAN, 0},

	{"mounts", "destination", PATH, REQUIRED},
	{"mounts", "type", STRING, 0},
	{"mounts", "source", STRING, 0},
	{"mounts", "options", ARRAY | STRING, 0},
	{"mounts", "uidMappings", ARRAY | OBJECT, UNSUPPORTED},
	MAPPING("mounts.uidMappings"),
	{"mounts", "gidMappings", ARRAY | OBJECT, UNSUPPORTED},
	MAPPING("mounts.gidMappings"),

	{"hooks", "prestart", ARRAY | OBJECT, 0},
	HOOK("hooks.prestart"),
	{"hooks", "createRuntime", ARRAY | OBJECT, 0},
	HOOK("hooks.createRuntime"),
	{"hooks", "createContainer", ARRAY | OBJECT, 0},
	HOOK("hooks.createContainer"),
	{"hooks", "startContainer", ARRAY | OBJECT, 0},
	HOOK("hooks.startContainer"),
	{"hooks", "poststart", ARRAY | OBJECT, 0},
	HOOK("hooks.poststart"),
	{"hooks", "poststop", ARRAY | OBJECT, 0},
	HOOK("hooks.poststop"),

	{"linux", "namespaces", ARRAY | OBJECT, 0},
	{"linux", "uidMappings", ARRAY | OBJECT, UNAPPLIED},
	{"linux", "gidMappings", ARRAY | OBJECT, UNAPPLIED},
	{"linux", "timeOffsets", MAP | OBJECT, UNAPPLIED},
	{"linux", "devices", ARRAY | OBJECT, UNAPPLIED},
	{"linux", "cgroupsPath", STRING, UNAPPLIED},
	{"linux", "resources", OBJECT, UNAPPLIED},
	{"linux", "intelRdt", OBJECT, UNAPPLIED | UNSUPPORTED},
	{"linux", "sysctl", MAP | STRING, UNAPPLIED},
	{"linux", "seccomp", OBJECT, UNAPPLIED | UNSUPPORTED},
	{"linux", "rootfsPropagation", STRING, UNAPPLIED},
	{"linux", "maskedPaths", ARRAY | PATH, UNAPPLIED},
	{"linux", "readonlyPaths", ARRAY | PATH, UNAPPLIED},
	{"linux", "mountLabel", STRING, UNAPPLIED | UNSUPPORTED},
	{"linux", "personality", OBJECT, UNAPPLIED | UNSUPPORTED},
	{"linux", "netDevices", MAP | OBJECT, UNAPPLIED | UNSUPPORTED},
	{"linux", "memoryPolicy", OBJECT, UNAPPLIED | UNSUPPORTED},

	{"linux.namespaces", "type", STRING, REQUIRED},
	{"linux.namespaces", "path", STRING, 0},
	MAPPING("linux.uidMappings"),
	MAPPING("linux.gidMappings"),
	{"linux.timeOffsets", "monotonic", OBJECT, 0},
	{"linux.timeOffsets.monotonic", "secs", INT64, 0},
	{"linux.timeOffsets.monotonic", "nanosecs", UINT32, 0},
	{"linux.timeOffsets", "boottime", OBJECT, 0},
	{"linux.timeOffsets.boottime", "secs", INT64, 0},
	{"linux.timeOffsets.boottime", "nanosecs", UINT32, 0},

	{"linux.devices", "type", STRING, REQUIRED},
	{"linux.devices", "path", PATH, REQUIRED},
	{"linux.devices", "major", INT64, 0},
	{"linux.devices", "minor", INT64, 0},
	{"linux.devices", "fileMode", UINT16, 0},
	{"linux.devices", "uid", ID, 0},
	{"linux.devices", "gid", ID, 0},

	{"linux.resources", "devices", ARRAY | OBJECT, 0},
	{"linux.resources.devices", "allow", BOOLEAN, REQUIRED},
	{"linux.resources.devices", "type", STRING, 0},
	{"linux.resources.devices", "major", INT64, 0},
	{"linux.resources.devices", "minor", INT64, 0},
	{"linux.resources.devices", "access", STRING, REQUIRED},

	{"linux.resources", "memory", OBJECT, 0},
	{"linux.resources.memory", "limit", INT64, 0},
	{"linux.resources.memory", "reservation", INT64, 0},
	{"linux.resources.memory", "swap", INT64, 0},
	{"linux.resources.memory", "kernel", INT64, UNSUPPORTED},
	{"linux.resources.memory", "kernelTCP", INT64, UNSUPPORTED},
	{"linux.resources.memory", "swappiness", UINT64, UNSUPPORTED},
	{"linux.resources.memory", "disableOOMKiller", BOOLEAN, UNSUPPORTED},
	{"linux.resources.memory", "useHierarchy", BOOLEAN, UNSUPPORTED},
	{"linux.resources.memory", "checkBeforeUpdate", BOOLEAN, UNSUPPORTED},

	{"linux.resources", "cpu", OBJECT, 0},
	{"linux.resources.cpu", "shares", UINT64, 0},
	{"linux.resources.cpu", "quota", INT64, 0},
	{"linux.resources.cpu", "burst", UINT64, UNSUPPORTED},
	{"linux.resources.cpu", "period", UINT64, 0},
	{"linux.resources.cpu", "realtimeRuntime", INT64, UNSUPPORTED},
	{"linux.resources.cpu", "realtimePeriod", UINT64, UNSUPPORTED},
	{"linux.resources.cpu", "cpus", STRING, 0},
	{"linux.resources.cpu", "mems", STRING, 0},
	{"linux.resources.cpu", "idle", INT64, UNSUPPORTED},

	{"linux.resources", "pids", OBJECT, 0},
	{"linux.resources.pids", "limit", INT64, REQUIRED},
	{"linux.resources", "unified", MAP | STRING, 0},

	{"linux.resources", "blockIO", OBJECT, 0},
	{"linux.resources.blockIO", "weight", UINT16, UNSUPPORTED},
	{"linux.resources.blockIO", "leafWeight", UINT16, UNSUPPORTED},
	{"linux.resources.blockIO", "weightDevice", ARRAY | OBJECT,
		UNSUPPORTED},
	{"linux.resources.blockIO.weightDevice", "major", INT64, REQUIRED},
	{"linux.resources.blockIO.weightDevice", "minor", INT64, REQUIRED},
	{"linux.resources.blockIO.weightDevice", "weight", UINT16, 0},
	{"linux.resources.blockIO.weightDevice", "leafWeight", UINT16, 0},
	{"linux.resources.blockIO", "throttleReadBpsDevice", ARRAY | OBJECT,
		UNSUPPORTED},
	THROTTLE("linux.resources.blockIO.throttleReadBpsDevice"),
	{"linux.resources.blockIO", "throttleWriteBpsDevice", ARRAY | OBJECT,
		UNSUPPORTED},
	THROTTLE("linux.resources.blockIO.throttleWriteBpsDevice"),
	{"linux.resources.blockIO", "throttleReadIOPSDevice", ARRAY | OBJECT,
		UNSUPPORTED},
	THROTTLE("linux.resources.blockIO.throttleReadIOPSDevice"),
	{"linux.resources.blockIO", "throttleWriteIOPSDevice", ARRAY | OBJECT,
		UNSUPPORTED},
	THROTTLE("linux.resources.blockIO.throttleWriteIOPSDevice"),
	{"linux.resources", "hugepageLimits", ARRAY | OBJECT, UNSUPPORTED},
	{"linux.resources.hugepageLimits", "pageSize", STRING, REQUIRED},
	{"linux.resources.hugepageLimits", "limit", UINT64, REQUIRED},
	{"linux.resources", "network", OBJECT, 0},
	{"linux.resources.network", "classID", UINT32, UNSUPPORTED},
	{"linux.resources.network", "priorities", ARRAY | OBJECT, UNSUPPORTED},
	{"linux.resources.network.priorities", "name", STRING, REQUIRED},
	{"linux.resources.network.priorities", "priority", UINT32, REQUIRED},
	{"linux.resources", "rdma", MAP | OBJECT, UNSUPPORTED},

	{"linux.intelRdt", "closID", STRING, 0},
	{"linux.intelRdt", "l3CacheSchema", STRING, 0},
	{"linux.intelRdt", "memBwSchema", STRING, 0},
	{"linux.intelRdt", "schemata", ARRAY | STRING, 0},
	{"linux.intelRdt", "enableCMT", BOOLEAN, 0},
	{"linux.intelRdt", "enableMBM", BOOLEAN, 0},
	{"linux.intelRdt", "enableMonitoring", BOOLEAN, 0},

	{"linux.seccomp", "defaultAction", STRING, REQUIRED},
	{"linux.seccomp", "defaultErrnoRet", UINT32, 0},
	{"linux.seccomp", "architectures", ARRAY | STRING, 0},
	{"linux.seccomp", "flags", ARRAY | STRING, 0},
	{"linux.seccomp", "listenerPath", STRING, 0},
	{"linux.seccomp", "listenerMetadata", STRING, 0},
	{"linux.seccomp", "syscalls", ARRAY | OBJECT, 0},
	{"linux.seccomp.syscalls", "names", ARRAY | STRING, REQUIRED},
	{"linux.seccomp.syscalls", "action", STRING, REQUIRED},
	{"linux.seccomp.syscalls", "errnoRet", UINT32, 0},
	{"linux.seccomp.syscalls", "args", ARRAY | OBJECT, 0},
	{"linux.seccomp.syscalls.args", "index", UINT32, REQUIRED},
	{"linux.seccomp.syscalls.args", "value", UINT64, REQUIRED},
	{"linux.seccomp.syscalls.args", "valueTwo", UINT64, 0},
	{"linux.seccomp.syscalls.args", "op", STRING, REQUIRED},

	{"linux.personality", "domain", STRING, 0},
	{"linux.personality", "flags", ARRAY | STRING, 0},

	{"linux.memoryPolicy", "mode", STRING, 0},
	{"linux.memoryPolicy", "nodes", STRING, 0},
	{"linux.memoryPolicy", "flags", ARRAY | STRING, 0},
};

const size_t schema_config_count = COUNT(schema_config);

const struct jsonfile_field schema_process[] = {
	{"", "terminal", BOOLEAN, 0},
	{"", "consoleSize", OBJECT, 0},
	{"", "user", OBJECT, 0},
	{"", "args", ARRAY | STRING, REQUIRED},
	{"", "env", ARRAY | VARIABLE, 0},
	{"", "cwd", PATH, REQUIRED},
	{"", "capabilities", OBJECT, UNAPPLIED},
	{"", "rlimits", ARRAY | OBJECT, UNAPPLIED},
	{"", "noNewPrivileges", BOOLEAN, UNAPPLIED},
	{"", "apparmorProfile", STRING, UNAPPLIED | UNSUPPORTED},
	{"", "selinuxLabel", STRING, UNAPPLIED | UNSUPPORTED},
	{"", "oomScoreAdj", INT32, UNAPPLIED},
	{"", "scheduler", OBJECT, UNAPPLIED | UNSUPPORTED},
	{"", "ioPriority", OBJECT, UNAPPLIED | UNSUPPORTED},
	{"", "execCPUAffinity", OBJECT, UNAPPLIED | UNSUPPORTED},

	{"consoleSize", "height", UINT16, REQUIRED},
	{"consoleSize", "width", UINT16, REQUIRED},

	{"user", "uid", ID, 0},
	{"user", "gid", ID, 0},
	{"user", "umask", UINT32, 0},
	{"user", "additionalGids", ARRAY | ID, 0},

	{"capabilities", "bounding", ARRAY | STRING, 0},
	{"capabilities", "effective", ARRAY | STRING, 0},
	{"capabilities", "inheritable", ARRAY | STRING, 0},
	{"capabilities", "permitted", ARRAY | STRING, 0},
	{"capabilities", "ambient", ARRAY | STRING, 0},

	{"rlimits", "type", STRING, REQUIRED},
	{"rlimits", "soft", UINT64, REQUIRED},
	{"rlimits", "hard", UINT64, REQUIRED},

	{"scheduler", "policy", STRING, REQUIRED},
	{"scheduler", "nice", INT32, 0},
	{"scheduler", "priority", INT32, 0},
	{"scheduler", "flags", ARRAY | STRING, 0},
	{"scheduler", "runtime", UINT64, 0},
	{"scheduler", "deadline", UINT64, 0},
	{"scheduler", "period", UINT64, 0},

	{"ioPriority", "class", STRING, REQUIRED},
	{"ioPriority", "priority", INT32, 0},

	{"execCPUAffinity", "initial", STRING, 0},
	{"execCPUAffinity", "final", STRING, 0},
};

const size_t schema_process_count = COUNT(schema_process);
