# Building against the ROS 2 wheels of PyPI. Does nothing on a normal ROS 2 install.
#
# 1. An activated virtual environment is no ament prefix until AMENT_PREFIX_PATH says so.
# 2. The targets that the wheels export name include folders of the machine that built them
#    (/opt/python/...), which CMake refuses when they do not exist here.
# 3. An environment inside the source tree (.venv) gives our own targets include folders below the
#    source folder, which CMake refuses to export; they serve the build alone.

if("$ENV{AMENT_PREFIX_PATH}" STREQUAL "" AND DEFINED ENV{VIRTUAL_ENV}
    AND EXISTS "$ENV{VIRTUAL_ENV}/share/ament_index")
  set(ENV{AMENT_PREFIX_PATH} "$ENV{VIRTUAL_ENV}")
  list(APPEND CMAKE_PREFIX_PATH "$ENV{VIRTUAL_ENV}")
endif()

function(_humor_mend_imported_targets)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(includes ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT includes OR NOT includes MATCHES "/opt/python/")
      continue()
    endif()
    set(kept "")
    foreach(include IN LISTS includes)
      if(NOT include MATCHES "^/opt/python/" OR EXISTS "${include}")
        list(APPEND kept "${include}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
  endforeach()
endfunction()

function(_humor_mend_own_targets)
  get_property(targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(includes ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT includes)
      continue()
    endif()
    set(mended "")
    foreach(include IN LISTS includes)
      string(FIND "${include}" "$ENV{VIRTUAL_ENV}/" position)
      if(position EQUAL 0)
        set(include "$<BUILD_INTERFACE:${include}>")
      endif()
      list(APPEND mended "${include}")
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${mended}")
  endforeach()
endfunction()

# Deferred to the end of the directory, when every target is there.
if(DEFINED ENV{VIRTUAL_ENV})
  cmake_language(DEFER CALL _humor_mend_imported_targets)
  cmake_language(DEFER CALL _humor_mend_own_targets)
endif()
